// The hand-written wire format against the generated classes, and against bytes that are none.

#include "engine/wire.hpp"

#include <gtest/gtest.h>

#include <random>

#include "engine.pb.h"
#include "engine/crc32c.hpp"
#include "engine/identity.hpp"

namespace lab::engine {
namespace {

Bytes bytes_of(const std::string& text) { return {reinterpret_cast<const u8*>(text.data()), text.size()}; }

class Random {
 public:
  explicit Random(u64 seed) : random_(seed) {}
  u64 below(u64 n) { return random_() % n; }
  // Of any magnitude, so that varints of each length occur.
  u64 number() { return random_() >> below(64); }
  i64 ticks() { return static_cast<i64>(number()) * (below(2) == 0 ? 1 : -1); }

 private:
  std::mt19937_64 random_;
};

v1::Command random_command(Random& random) {
  v1::Command command;
  command.set_request(random.number());
  command.set_kind(static_cast<v1::Kind>(random.below(7)));
  command.set_account(static_cast<u32>(random.number()));
  command.set_client_order_id(std::string(1 + random.below(36), static_cast<char>('!' + random.below(90))));
  command.set_symbol(static_cast<u32>(random.number()));
  command.set_side(static_cast<v1::Side>(random.below(3)));
  command.set_order_type(static_cast<v1::OrderType>(random.below(5)));
  command.set_time_in_force(static_cast<v1::TimeInForce>(random.below(3)));
  command.set_self_trade_prevention(static_cast<v1::SelfTradePrevention>(random.below(5)));
  command.set_price_ticks(random.ticks());
  command.set_quantity_lots(random.number());
  command.set_order_id(random.number());
  command.set_received_ns(random.number());
  command.set_has_symbol(random.below(2) == 0);
  command.set_trace_parent(std::string(random.below(60), 't'));
  return command;
}

TEST(Wire, ReadsBatchesAsTheGeneratedClassesDo) {
  Random random(1);
  for (int round = 0; round < 500; ++round) {
    v1::CommandBatch batch;
    for (u64 i = random.below(5); i-- > 0;) *batch.add_commands() = random_command(random);
    std::vector<Command> commands;
    ASSERT_TRUE(decode_batch(bytes_of(batch.SerializeAsString()), commands));
    ASSERT_EQ(commands.size(), static_cast<std::size_t>(batch.commands_size()));
    for (std::size_t i = 0; i < commands.size(); ++i) {
      v1::Command expected = batch.commands(static_cast<int>(i));
      EXPECT_EQ(commands[i].request, expected.request());
      EXPECT_TRUE(commands[i].well_formed);
      expected.clear_request();
      expected.clear_trace_parent();
      u8 out[kCommandBytesMax];
      const u8* const end = encode_command(commands[i], out);
      EXPECT_EQ(std::string(static_cast<const u8*>(out), end), expected.SerializeAsString());
    }
  }
}

TEST(Wire, WritesResultsThatTheGeneratedClassesAndItselfReadBack) {
  Random random(2);
  for (int round = 0; round < 500; ++round) {
    const Verdict verdict{static_cast<Outcome>(random.below(8)), static_cast<Reason>(random.below(16)),
                          Lots(random.number()),                 Lots(random.number()),
                          Lots(random.number()),                 Ticks(random.ticks())};
    std::vector<Fill> fills(random.below(4));
    for (Fill& fill : fills) {
      fill = {random.number(), OrderId(random.number()), Account(static_cast<u32>(random.number())),
              Ticks(random.ticks()), Lots(random.number())};
    }
    std::vector<Removal> removals(random.below(4));
    for (Removal& removal : removals) removal = {OrderId(random.number()), Lots(random.number())};
    std::vector<Command> commands;
    v1::CommandBatch batch;
    *batch.add_commands() = random_command(random);
    ASSERT_TRUE(decode_batch(bytes_of(batch.SerializeAsString()), commands));
    u8 out[2'048];
    u8* end = encode_result(Sequence(random.number() | 1), OrderId(5), verdict, fills, removals, out);
    end = encode_command_field(commands[0], end);

    v1::Result result;
    ASSERT_TRUE(result.ParseFromArray(out, static_cast<int>(end - out)));
    EXPECT_EQ(result.outcome(), static_cast<v1::Outcome>(verdict.outcome));
    EXPECT_EQ(result.reason(), static_cast<v1::Reason>(verdict.reason));
    EXPECT_EQ(result.filled_lots(), verdict.filled.value);
    EXPECT_EQ(result.resting_lots(), verdict.resting.value);
    EXPECT_EQ(result.cancelled_lots(), verdict.cancelled.value);
    EXPECT_EQ(result.resting_price_ticks(), verdict.resting_price.value);
    ASSERT_EQ(result.fills_size(), static_cast<int>(fills.size()));
    for (std::size_t i = 0; i < fills.size(); ++i) {
      const v1::Fill& fill = result.fills(static_cast<int>(i));
      EXPECT_EQ(fill.trade_id(), fills[i].trade_id);
      EXPECT_EQ(fill.maker_order_id(), fills[i].maker.value);
      EXPECT_EQ(fill.maker_account(), fills[i].maker_account.value);
      EXPECT_EQ(fill.price_ticks(), fills[i].price.value);
      EXPECT_EQ(fill.quantity_lots(), fills[i].quantity.value);
    }
    ASSERT_EQ(result.removals_size(), static_cast<int>(removals.size()));
    Sequence sequence;
    Command command;
    ASSERT_TRUE(decode_stored_command({out, end}, sequence, command));
    EXPECT_EQ(sequence.value, result.sequence());
    EXPECT_EQ(command.client_order_id(), result.command().client_order_id());
  }
}

TEST(Wire, BytesCutAnywhereAreRefusedOrReadAsLess) {
  Random random(3);
  v1::CommandBatch batch;
  *batch.add_commands() = random_command(random);
  *batch.add_commands() = random_command(random);
  const std::string whole = batch.SerializeAsString();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    v1::CommandBatch generated;
    std::vector<Command> commands;
    const std::string cut = whole.substr(0, size);
    EXPECT_EQ(decode_batch(bytes_of(cut), commands), generated.ParseFromString(cut)) << size;
  }
}

TEST(Wire, AValueThatDoesNotFitMarksItsCommandAndKeepsItsRequest) {
  v1::CommandBatch batch;
  v1::Command& command = *batch.add_commands();
  command.set_request(9);
  command.set_client_order_id(std::string(37, 'x'));
  std::vector<Command> commands;
  ASSERT_TRUE(decode_batch(bytes_of(batch.SerializeAsString()), commands));
  EXPECT_FALSE(commands[0].well_formed);
  EXPECT_EQ(commands[0].request, 9U);
}

TEST(Wire, TheEnumsNumbersAreThoseOfTheProtocol) {
  EXPECT_EQ(static_cast<int>(Kind::kResume), v1::RESUME);
  EXPECT_EQ(static_cast<int>(Kind::kLift), v1::LIFT);
  EXPECT_EQ(static_cast<int>(Side::kSell), v1::SELL);
  EXPECT_EQ(static_cast<int>(OrderType::kPostOnlySlide), v1::POST_ONLY_SLIDE);
  EXPECT_EQ(static_cast<int>(TimeInForce::kFok), v1::FOK);
  EXPECT_EQ(static_cast<int>(SelfTrade::kDecrement), v1::STP_DECREMENT);
  EXPECT_EQ(static_cast<int>(Outcome::kNotSequenced), v1::NOT_SEQUENCED);
  EXPECT_EQ(static_cast<int>(Reason::kNothingToReplace), v1::NOTHING_TO_REPLACE);
  EXPECT_EQ(static_cast<int>(Reason::kKillLimitReached), v1::KILL_LIMIT_REACHED);
  EXPECT_EQ(kReasons, v1::Reason_ARRAYSIZE);
  EXPECT_EQ(kOutcomes, v1::Outcome_ARRAYSIZE);
  EXPECT_EQ(kKinds, v1::Kind_ARRAYSIZE);
}

TEST(Checksum, IsCastagnoliByInstructionAndByTable) {
  const std::string check = "123456789";
  EXPECT_EQ(crc32c(check.data(), check.size()), 0xE3069283U);
  for (std::size_t size = 0; size < 100; ++size) {
    const std::string text(size, 'a');
    EXPECT_EQ(crc32c(text.data(), size, 7), crc32c_table(text.data(), size, 7));
  }
}

Command of(u32 account, std::string_view client_order_id) {
  Command command;
  command.account = account;
  command.set_client_order_id(client_order_id);
  return command;
}

TEST(Identity, IsTheAccountAndTheWholeClientOrderId) {
  const DigestKey key = DigestKey::random();
  const auto same = [](const Digest& a, const Digest& b) { return a.low == b.low && a.high == b.high; };
  EXPECT_TRUE(same(digest_of(key, of(1, "order-1")), digest_of(key, of(1, "order-1"))));
  EXPECT_FALSE(same(digest_of(key, of(1, "order-1")), digest_of(key, of(2, "order-1"))));
  EXPECT_FALSE(same(digest_of(key, of(1, "order-1")), digest_of(key, of(1, "order-2"))));
  EXPECT_FALSE(same(digest_of(key, of(1, std::string(36, 'x'))), digest_of(key, of(1, std::string(35, 'x')))));
  EXPECT_FALSE(same(digest_of(key, of(1, std::string(8, '\0'))), digest_of(key, of(1, std::string(16, '\0')))));
}

TEST(Identity, RemembersAsManyAsItWasMadeForAndSaysWhenItIsFull) {
  IdentityIndex index(1'000);
  const DigestKey key = DigestKey::random();
  for (u64 i = 1; i <= 1'000; ++i) {
    u32* const place = index.find(digest_of(key, of(1, std::to_string(i))));
    ASSERT_EQ(*place, 0U);
    index.claim(place, Sequence(i));
  }
  for (u64 i = 1; i <= 1'000; ++i) EXPECT_EQ(*index.find(digest_of(key, of(1, std::to_string(i)))), i);
  EXPECT_EQ(index.find(digest_of(key, of(2, "new"))), nullptr);
}

}  // namespace
}  // namespace lab::engine
