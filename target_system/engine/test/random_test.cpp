// Random streams of every kind of command against the plain book, after each command: verdict, fills, removals, books.
// A failure names the seed and the number of commands of the shortest stream that shows it, and prints the last of them.

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <sstream>
#include <tuple>

#include "desk.hpp"
#include "engine/book_image.hpp"
#include "engine/names.hpp"
#include "plain_market.hpp"

namespace lab::engine {

bool operator==(const Fill& a, const Fill& b) {
  return a.trade_id == b.trade_id && a.maker == b.maker && a.maker_account == b.maker_account && a.price == b.price &&
         a.quantity == b.quantity;
}
bool operator==(const Removal& a, const Removal& b) { return a.id == b.id && a.quantity == b.quantity; }
bool operator==(const RestingOrder& a, const RestingOrder& b) {
  return a.id == b.id && a.account == b.account && a.symbol == b.symbol && a.side == b.side && a.price == b.price &&
         a.quantity == b.quantity;
}
bool operator==(const Verdict& a, const Verdict& b) {
  return a.outcome == b.outcome && a.reason == b.reason && a.filled == b.filled && a.resting == b.resting &&
         a.cancelled == b.cancelled && a.resting_price == b.resting_price;
}

namespace {

constexpr Limits kLimits{.symbols = 3, .price_min = 100, .price_max = 129, .orders = 40};
constexpr u64 kCommands = 2'000;

// Few prices, accounts and places, so that everything meets everything.
class Stream {
 public:
  explicit Stream(u64 seed) : random_(seed) {}

  Order next() {
    Order order;
    order.kind = pick_kind();
    order.account = Account(below(4));
    order.symbol = Symbol(below(100) == 0 ? 3 : below(3));
    order.price = Ticks(98 + static_cast<i64>(below(34)));
    order.quantity = Lots(below(50) == 0 ? 0 : 1 + below(9));
    order.side = below(2) == 0 ? Side::kBuy : Side::kSell;
    order.self_trade = below(2) == 0 ? SelfTrade::kOff : static_cast<SelfTrade>(1 + below(4));
    order.has_symbol = below(2) == 0;
    if (order.kind == Kind::kNew) {
      order.id = OrderId(++last_id_);
      order.type = static_cast<OrderType>(1 + (below(2) == 0 ? 0 : below(4)));
      const bool post_only = order.type == OrderType::kPostOnlyReject || order.type == OrderType::kPostOnlySlide;
      if (!post_only && below(3) == 0) order.time_in_force = static_cast<TimeInForce>(1 + below(2));
    } else {
      order.id = OrderId(1 + below(last_id_ + 1));
      if (last_id_ > 30 && below(4) != 0) order.id = OrderId(last_id_ - below(30));
      if (order.kind == Kind::kReplace && below(4) != 0) order.side = Side::kUnspecified;
      if (order.kind == Kind::kReplace && below(3) == 0) order.type = static_cast<OrderType>(3 + below(2));
    }
    return order;
  }

 private:
  u32 below(u64 n) { return static_cast<u32>(random_() % n); }

  Kind pick_kind() {
    const u32 draw = below(100);
    if (draw < 59) return Kind::kNew;
    if (draw < 75) return Kind::kCancel;
    if (draw < 91) return Kind::kReplace;
    if (draw < 93) return Kind::kMassCancel;
    if (draw < 97) return draw < 94 ? Kind::kHalt : Kind::kResume;
    return below(4) == 0 ? Kind::kKill : Kind::kLift;
  }

  std::mt19937_64 random_;
  u64 last_id_ = 0;
};

std::string text_of(const Order& order) {
  std::ostringstream out;
  out << name_of(order.kind) << " id " << order.id.value << " account " << order.account.value << " symbol "
      << order.symbol.value << ' ' << name_of(order.side) << ' ' << order.quantity.value << " @ " << order.price.value << ' '
      << name_of(order.type) << ' ' << name_of(order.time_in_force) << ' ' << name_of(order.self_trade);
  return out.str();
}

template <class Index>
std::vector<RestingOrder> books_of(const Market<Index>& market) {
  std::vector<RestingOrder> orders;
  market.each_resting([&](const RestingOrder& order) { orders.push_back(order); });
  return orders;
}

// What must hold whatever the rules are.
template <class Index>
std::string broken_invariant(const Order& order, const Verdict& verdict, const Market<Index>& market) {
  const u64 accounted = verdict.filled.value + verdict.resting.value + verdict.cancelled.value;
  if (order.kind == Kind::kNew && verdict.outcome != Outcome::kRejected && accounted != order.quantity.value) {
    return "quantity is not conserved";
  }
  for (u32 symbol = 0; symbol < kLimits.symbols; ++symbol) {
    i64 bid = kLimits.price_min - 1;
    i64 ask = kLimits.price_max + 1;
    market.each_level(Symbol(symbol), Side::kBuy, 1, [&](Ticks price, u64, u32) { bid = price.value; });
    market.each_level(Symbol(symbol), Side::kSell, 1, [&](Ticks price, u64, u32) { ask = price.value; });
    if (bid >= ask) return "the book is crossed";
  }
  return {};
}

template <class Index>
std::string first_difference(const Order& order, Market<Index>& market, PlainMarket& plain) {
  Recorder recorder;
  const Verdict verdict = market.apply(order, recorder);
  const PlainAnswer expected = plain.apply(order);
  if (verdict != expected.verdict) {
    return std::string("verdict ") + name_of(verdict.outcome) + "/" + name_of(verdict.reason) + ", expected " +
           name_of(expected.verdict.outcome) + "/" + name_of(expected.verdict.reason);
  }
  if (recorder.fills != expected.fills) return "fills differ";
  if (recorder.removals != expected.removals) return "removals differ";
  if (books_of(market) != plain.sorted()) return "books differ";
  return broken_invariant(order, verdict, market);
}

template <class Index>
void compare(u64 seed) {
  Market<Index> market(kLimits, kCommands);
  PlainMarket plain(kLimits);
  Stream stream(seed);
  std::vector<Order> prefix;
  for (u64 number = 1; number <= kCommands; ++number) {
    prefix.push_back(stream.next());
    const std::string difference = first_difference(prefix.back(), market, plain);
    if (difference.empty()) continue;
    std::string last;
    for (u64 i = prefix.size() - std::min<u64>(prefix.size(), 8); i < prefix.size(); ++i) last += text_of(prefix[i]) + "\n";
    FAIL() << "seed " << seed << ", first " << number << " commands: " << difference << "\n" << last;
  }
  EXPECT_EQ(market.tape().last_trade_id, plain.trades());
  EXPECT_GT(plain.trades(), 100U);
}

TEST(RandomStreams, DenseIdsAgreeWithThePlainBook) {
  for (u64 seed = 1; seed <= 60 && !::testing::Test::HasFailure(); ++seed) compare<DenseIds>(seed);
}

TEST(RandomStreams, HashedIdsAgreeWithThePlainBook) {
  for (u64 seed = 1'001; seed <= 1'060 && !::testing::Test::HasFailure(); ++seed) compare<HashIds>(seed);
}

TEST(RandomStreams, BooksPutBackInTheirOrderGoOnAsBefore) {
  Market<DenseIds> whole(kLimits, kCommands);
  Stream stream(7);
  Recorder recorder;
  for (u64 i = 0; i < kCommands / 2; ++i) whole.apply(stream.next(), recorder);

  Market<DenseIds> restored(kLimits, kCommands);
  for (const RestingOrder& order : books_of(whole)) restored.restore(order);
  for (u32 symbol = 0; symbol < kLimits.symbols; ++symbol) {
    restored.restore_symbol(Symbol(symbol), whole.halted(Symbol(symbol)), whole.last_trade_price(Symbol(symbol)));
  }
  for (const u32 account : whole.killed()) restored.restore_killed(Account(account));
  restored.restore_tape(whole.tape());

  for (u64 i = 0; i < kCommands / 2; ++i) {
    const Order order = stream.next();
    Recorder again;
    recorder = {};
    EXPECT_EQ(whole.apply(order, recorder), restored.apply(order, again));
    EXPECT_EQ(recorder.fills, again.fills);
  }
  EXPECT_EQ(whole.tape().trade_hash, restored.tape().trade_hash);
  EXPECT_EQ(books_of(whole), books_of(restored));
}

StoredResult result_of(u64 sequence, const Order& order, const Verdict& verdict, const Recorder& recorder) {
  StoredResult result{Sequence(sequence), order.id, verdict, recorder.fills, recorder.removals, {}};
  result.command.kind = static_cast<u8>(order.kind);
  result.command.symbol = order.symbol.value;
  result.command.side = static_cast<u8>(order.side);
  return result;
}

using Levels = std::map<std::tuple<u32, Side, i64>, u64>;

Levels levels_of(const Market<DenseIds>& market) {
  Levels levels;
  market.each_resting([&](const RestingOrder& order) {
    levels[{order.symbol.value, order.side, order.price.value}] += order.quantity.value;
  });
  return levels;
}

Levels levels_of(const BookImage& image) {
  Levels levels;
  for (u32 symbol = 0; symbol < image.symbols(); ++symbol) {
    for (const Side side : {Side::kBuy, Side::kSell}) {
      image.each_level(Symbol(symbol), side, [&](Ticks price, Lots quantity) {
        levels[{symbol, side, price.value}] = quantity.value;
      });
    }
  }
  return levels;
}

// As a subscriber keeps them: each change put in its place, each symbol's changes a chain.
void keep(const std::vector<Change>& changes, Levels& levels, std::map<u32, Sequence>& chain) {
  for (const Change& change : changes) {
    EXPECT_EQ(change.previous, chain[change.symbol.value]);
    chain[change.symbol.value] = change.sequence;
    for (const LevelTotal& level : change.levels) {
      const std::tuple key{change.symbol.value, level.side, level.price.value};
      levels.erase(key);
      if (level.quantity.value > 0) levels[key] = level.quantity.value;
    }
  }
}

TEST(RandomStreams, WhoFollowsTheResultsFromAnyMomentOnHasTheBooksLevels) {
  for (u64 seed = 1; seed <= 30 && !::testing::Test::HasFailure(); ++seed) {
    Market<DenseIds> market(kLimits, kCommands);
    BookImage image(kLimits.symbols);
    Stream stream(seed);
    Levels kept;
    std::map<u32, Sequence> chain;
    u64 trades = 0;
    const u64 seeded_at = seed * 10;
    for (u64 number = 1; number <= kCommands; ++number) {
      const Order order = stream.next();
      Recorder recorder;
      const Verdict verdict = market.apply(order, recorder);
      if (number == seeded_at) {
        image.begin(Sequence(number));
        market.each_resting([&](const RestingOrder& resting) { image.add(resting); });
        for (u32 symbol = 0; symbol < kLimits.symbols; ++symbol) {
          image.set_symbol(Symbol(symbol), market.halted(Symbol(symbol)), market.last_trade_price(Symbol(symbol)));
          chain[symbol] = Sequence(number);
        }
        kept = levels_of(image);
        trades = market.tape().last_trade_id;
      } else if (number > seeded_at) {
        const auto& changes = image.follow(result_of(number, order, verdict, recorder));
        keep(changes, kept, chain);
        for (const Change& change : changes) {
          for (const Print& print : change.prints) EXPECT_EQ(print.trade_id, ++trades);
          EXPECT_EQ(change.halted, market.halted(change.symbol));
          EXPECT_EQ(image.last_trade_price(change.symbol), market.last_trade_price(change.symbol));
        }
        ASSERT_EQ(levels_of(image), levels_of(market)) << "seed " << seed << ", command " << number;
        ASSERT_EQ(kept, levels_of(market)) << "seed " << seed << ", command " << number << ": " << text_of(order);
      }
    }
    EXPECT_EQ(trades, market.tape().last_trade_id);
  }
}

}  // namespace
}  // namespace lab::engine
