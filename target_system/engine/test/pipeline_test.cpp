// Queue, book thread and sync thread together, without gRPC in front: the part whose locks are ours, for the thread
// sanitizer too (gRPC's own libraries are not built for it).

#include "engine/pipeline.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>

#include "engine.pb.h"
#include "engine/recovery.hpp"
#include "engine/snapshot.hpp"
#include "temporary_directory.hpp"

namespace lab::engine {
namespace {

const JournalHeader kHeader{{.symbols = 2, .price_min = 1, .price_max = 500, .orders = 10'000}, {"AAPL", "CSCO"}};
constexpr u64 kIdsMax = 100'000;
constexpr std::chrono::milliseconds kDeadline{30'000};

// Keeps what it is answered, as a client would read it.
class Client : public Recipient, public std::enable_shared_from_this<Client> {
 public:
  explicit Client(u32 account) : account_(account) {}

  std::unique_ptr<Message> message(u64 first, u64 count, const DigestKey& key) {
    auto message = std::make_unique<Message>();
    for (u64 number = first; number < first + count; ++number) {
      Command& command = message->commands.emplace_back();
      command.request = number;
      command.kind = static_cast<u8>(Kind::kNew);
      command.account = account_;
      command.set_client_order_id("order-" + std::to_string(number));
      command.side = number % 2 == 0 ? 1 : 2;
      command.type = static_cast<u8>(OrderType::kLimit);
      command.price = static_cast<i64>(100 + number * 7 % 5);
      command.quantity = 1 + number % 9;
      message->digests.push_back(digest_of(key, command));
    }
    message->recipient = shared_from_this();
    return message;
  }

  void answer(const Message& message, const Group& group, const Archive& archive) override {
    Buffer out;
    encode_batch(message, group, archive, out);
    v1::ResultBatch batch;
    ASSERT_TRUE(batch.ParseFromArray(out.data(), static_cast<int>(out.size())));
    const std::lock_guard lock(mutex_);
    for (const v1::Result& result : batch.results()) results_.push_back(result);
  }
  void flush() override {}
  bool gone() const override { return false; }

  std::deque<v1::Result> results() {
    const std::lock_guard lock(mutex_);
    return results_;
  }

 private:
  const u32 account_;
  std::mutex mutex_;
  std::deque<v1::Result> results_;
};

// An engine on a journal, without a server.
struct Engine {
  explicit Engine(const std::string& directory, u64 queue = 65'536) : state(kHeader.limits, kIdsMax), journal(directory) {
    if (journal_exists(directory)) {
      journal.open_at(recover(directory, kHeader, state).end);
    } else {
      journal.create(kHeader);
    }
    pipeline.emplace(state, journal, metrics, queue);
  }

  void send(Client& client, u64 first, u64 count) {
    auto message = client.message(first, count, pipeline->digest_key());
    ASSERT_EQ(pipeline->submit(message), Reason::kNone);
  }

  State state;
  JournalWriter journal;
  Metrics metrics;
  std::optional<Pipeline> pipeline;
};

TEST(Pipeline, AnswersEachOfManySendersInItsOrderWithSequenceNumbersWithoutAGap) {
  const TemporaryDirectory directory;
  Engine engine(directory.path());
  std::vector<std::shared_ptr<Client>> clients;
  std::vector<std::thread> senders;
  for (u32 account = 0; account < 4; ++account) {
    clients.push_back(std::make_shared<Client>(account));
    senders.emplace_back([&engine, client = clients.back()] {
      for (u64 first = 0; first < 2'000; first += 20) engine.send(*client, first, 20);
    });
  }
  for (int i = 0; i < 100; ++i) engine.pipeline->ask([](const State& state) { EXPECT_LE(state.last.value, 8'000U); });
  for (std::thread& sender : senders) sender.join();
  ASSERT_TRUE(engine.pipeline->drain(kDeadline));

  std::vector<bool> seen(8'001);
  for (const auto& client : clients) {
    u64 request = 0;
    u64 sequence = 0;
    for (const v1::Result& result : client->results()) {
      EXPECT_EQ(result.request(), request++);
      EXPECT_GT(result.sequence(), sequence);
      sequence = result.sequence();
      EXPECT_FALSE(seen[sequence]);
      seen[sequence] = true;
    }
    EXPECT_EQ(request, 2'000U);
  }
  EXPECT_EQ(engine.pipeline->synced().value, 8'000U);
}

// Keeps each second buffer for itself, as who follows the records may.
class Keeper : public RecordSink {
 public:
  void take(Buffer& records) override {
    const u8* at = records.data();
    for (const u8* const end = at + records.size(); at != end;) {
      u32 size = 0;
      std::memcpy(&size, at, sizeof size);
      StoredResult result;
      ASSERT_TRUE(decode_stored({at + kRecordHeadBytes, size}, result));
      sequences.push_back(result.sequence.value);
      at += kRecordHeadBytes + size;
    }
    if (++groups_ % 2 == 0) {
      Buffer kept;
      std::swap(kept, records);
    }
  }

  std::vector<u64> sequences;  // the sync thread's, until it has drained

 private:
  u64 groups_ = 0;
};

TEST(Pipeline, ShowsWhatIsOnDiskToItsFollowerOnceAndInOrderWhateverHeDoesWithTheBuffer) {
  const TemporaryDirectory directory;
  Engine engine(directory.path());
  const auto keeper = std::make_shared<Keeper>();
  engine.pipeline->set_sink(keeper);
  const auto client = std::make_shared<Client>(1);
  for (u64 first = 0; first < 2'000; first += 20) engine.send(*client, first, 20);
  ASSERT_TRUE(engine.pipeline->drain(kDeadline));
  ASSERT_EQ(keeper->sequences.size(), 2'000U);
  for (u64 i = 0; i < 2'000; ++i) EXPECT_EQ(keeper->sequences[i], i + 1);
  EXPECT_EQ(client->results().size(), 2'000U);
}

TEST(Pipeline, AfterARestartGivesTheSameResultsAndGoesOn) {
  const TemporaryDirectory directory;
  std::deque<v1::Result> first;
  u64 trade_hash = 0;
  {
    Engine engine(directory.path());
    const auto client = std::make_shared<Client>(1);
    engine.send(*client, 0, 500);
    ASSERT_TRUE(engine.pipeline->drain(kDeadline));
    first = client->results();
    trade_hash = engine.state.matcher.market().tape().trade_hash;
  }
  Engine engine(directory.path());
  EXPECT_EQ(engine.state.last.value, 500U);
  EXPECT_EQ(engine.state.matcher.market().tape().trade_hash, trade_hash);
  const auto client = std::make_shared<Client>(1);
  engine.send(*client, 0, 501);
  ASSERT_TRUE(engine.pipeline->drain(kDeadline));
  const auto again = client->results();
  ASSERT_EQ(again.size(), 501U);
  for (std::size_t i = 0; i < 500; ++i) {
    EXPECT_TRUE(again[i].repeated_command());
    EXPECT_EQ(again[i].sequence(), first[i].sequence());
    EXPECT_EQ(again[i].fills_size(), first[i].fills_size());
  }
  EXPECT_EQ(again[500].sequence(), 501U);
}

// 500 commands, a snapshot, 300 more; the journal and the snapshot stay behind.
u64 run_with_snapshot(const std::string& directory) {
  u64 bytes = 0;
  {
    Engine engine(directory);
    const auto client = std::make_shared<Client>(1);
    engine.send(*client, 0, 500);
    EXPECT_TRUE(engine.pipeline->drain(kDeadline));
    engine.pipeline.reset();
    bytes = engine.journal.end();
    write_snapshot(directory, take_snapshot(engine.state, bytes));
  }
  Engine engine(directory);
  const auto client = std::make_shared<Client>(2);
  engine.send(*client, 0, 300);
  EXPECT_TRUE(engine.pipeline->drain(kDeadline));
  return bytes;
}

struct Recovered {
  State state{kHeader.limits, kIdsMax};
  Recovery recovery;
};

std::unique_ptr<Recovered> recovered(const std::string& directory) {
  auto out = std::make_unique<Recovered>();
  out->recovery = recover(directory, kHeader, out->state);
  return out;
}

std::vector<u64> resting(const State& state) {
  std::vector<u64> ids;
  state.matcher.market().each_resting([&](const RestingOrder& order) { ids.push_back(order.id.value); });
  return ids;
}

TEST(Snapshot, GivesTheBooksTradesAndIdentitiesThatTheWholeJournalGives) {
  const TemporaryDirectory directory;
  run_with_snapshot(directory.path());
  const auto quick = recovered(directory.path());
  EXPECT_EQ(quick->recovery.snapshot, 500U);
  std::filesystem::remove(snapshot_path(directory.path()));
  const auto whole = recovered(directory.path());
  EXPECT_EQ(whole->recovery.snapshot, 0U);

  EXPECT_EQ(quick->state.last.value, 800U);
  EXPECT_EQ(quick->state.matcher.market().tape().trade_hash, whole->state.matcher.market().tape().trade_hash);
  EXPECT_GT(whole->state.matcher.market().tape().last_trade_id, 100U);
  EXPECT_EQ(resting(quick->state), resting(whole->state));
  EXPECT_EQ(quick->state.identities.used(), whole->state.identities.used());
}

TEST(Snapshot, IsIgnoredWhereAnyByteOfItIsWrong) {
  const TemporaryDirectory directory;
  run_with_snapshot(directory.path());
  const u64 trade_hash = recovered(directory.path())->state.matcher.market().tape().trade_hash;
  std::fstream file(snapshot_path(directory.path()), std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(200);
  file.put('?');
  file.close();
  const auto whole = recovered(directory.path());
  EXPECT_TRUE(whole->recovery.snapshot_ignored);
  EXPECT_EQ(whole->state.matcher.market().tape().trade_hash, trade_hash);
}

TEST(Snapshot, IsIgnoredWhereItsJournalIsAnother) {
  const TemporaryDirectory directory;
  const u64 bytes = run_with_snapshot(directory.path());
  const auto whole = recovered(directory.path());
  Snapshot wrong = take_snapshot(whole->state, bytes + 1);
  wrong.sequence = 500;
  write_snapshot(directory.path(), wrong);
  const auto again = recovered(directory.path());
  EXPECT_TRUE(again->recovery.snapshot_ignored);
  EXPECT_EQ(again->state.matcher.market().tape().trade_hash, whole->state.matcher.market().tape().trade_hash);
  EXPECT_EQ(resting(again->state), resting(whole->state));
}

TEST(Pipeline, RefusesAMessageThatDoesNotFitTheQueueAndEverythingWhenItStops) {
  const TemporaryDirectory directory;
  Engine engine(directory.path(), 10);
  const auto client = std::make_shared<Client>(1);
  auto large = client->message(0, 11, engine.pipeline->digest_key());
  EXPECT_EQ(engine.pipeline->submit(large), Reason::kQueueFull);
  ASSERT_TRUE(engine.pipeline->drain(kDeadline));
  auto late = client->message(0, 1, engine.pipeline->digest_key());
  EXPECT_EQ(engine.pipeline->submit(late), Reason::kShuttingDown);
  EXPECT_EQ(engine.state.last.value, 0U);
}

}  // namespace
}  // namespace lab::engine
