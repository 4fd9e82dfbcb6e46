// Orders in the words of a trader: buy(100, 10); sell(100, 4); expect_trade(100, 4).
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <vector>

#include "engine/market.hpp"

namespace lab::engine {

struct Recorder {
  std::vector<Fill> fills;
  std::vector<Removal> removals;

  void fill(const Fill& fill) { fills.push_back(fill); }
  void removal(const Removal& removal) { removals.push_back(removal); }
};

// The terms of an order beside side, price and quantity.
struct Terms {
  u32 account = 1;
  u32 symbol = 0;
  OrderType type = OrderType::kLimit;
  TimeInForce time_in_force = TimeInForce::kGtc;
  SelfTrade self_trade = SelfTrade::kOff;
};

template <class Index>
class Desk : public ::testing::Test {
 protected:
  static constexpr u64 kIdsMax = 10'000;

  void open(const Limits& limits) { market = std::make_unique<Market<Index>>(limits, kIdsMax); }
  void SetUp() override { open({.symbols = 2, .price_min = 1, .price_max = 1'000, .orders = 1'000}); }

  OrderId buy(i64 price, u64 quantity, const Terms& terms = {}) { return place(Side::kBuy, price, quantity, terms); }
  OrderId sell(i64 price, u64 quantity, const Terms& terms = {}) { return place(Side::kSell, price, quantity, terms); }

  void cancel(OrderId id, u32 account = 1) {
    Order order;
    order.kind = Kind::kCancel;
    order.id = id;
    order.account = Account(account);
    apply(order);
  }
  void replace(OrderId id, i64 price, u64 quantity, const Terms& terms = {}, Side side = Side::kUnspecified) {
    Order order = make(side, price, quantity, terms);
    order.kind = Kind::kReplace;
    order.id = id;
    apply(order);
  }
  void mass_cancel(u32 account) { apply_to(account, Kind::kMassCancel); }
  void kill(u32 account) { apply_to(account, Kind::kKill); }
  void lift(u32 account) { apply_to(account, Kind::kLift); }
  void halt(u32 symbol) { market->set_halted(Symbol(symbol), true); }
  void resume(u32 symbol) { market->set_halted(Symbol(symbol), false); }

  void expect(Outcome outcome, Reason reason = Reason::kNone) {
    EXPECT_EQ(verdict.outcome, outcome);
    EXPECT_EQ(verdict.reason, reason);
  }
  // The next trade that nobody has looked at yet.
  void expect_trade(i64 price, u64 quantity) {
    ASSERT_FALSE(trades.empty()) << "no trade";
    EXPECT_EQ(trades.front().price.value, price);
    EXPECT_EQ(trades.front().quantity.value, quantity);
    trades.pop_front();
  }
  void expect_trade_with(OrderId maker, i64 price, u64 quantity) {
    ASSERT_FALSE(trades.empty()) << "no trade";
    EXPECT_EQ(trades.front().maker.value, maker.value);
    expect_trade(price, quantity);
  }
  void expect_no_trade() { EXPECT_TRUE(trades.empty()); }
  void expect_removed(OrderId id, u64 quantity) {
    ASSERT_FALSE(removals.empty()) << "nothing was removed";
    EXPECT_EQ(removals.front().id.value, id.value);
    EXPECT_EQ(removals.front().quantity.value, quantity);
    removals.pop_front();
  }

  static constexpr i64 kNone = 0;
  i64 best(Side side, u32 symbol = 0) {
    i64 price = kNone;
    market->each_level(Symbol(symbol), side, 1, [&](Ticks ticks, u64, u32) { price = ticks.value; });
    return price;
  }
  void expect_touch(i64 bid, i64 ask) {
    EXPECT_EQ(best(Side::kBuy), bid);
    EXPECT_EQ(best(Side::kSell), ask);
  }
  std::vector<u64> resting() {
    std::vector<u64> ids;
    market->each_resting([&](const RestingOrder& order) { ids.push_back(order.id.value); });
    return ids;
  }

  std::unique_ptr<Market<Index>> market;
  Verdict verdict;
  std::deque<Fill> trades;
  std::deque<Removal> removals;

 private:
  static Order make(Side side, i64 price, u64 quantity, const Terms& terms) {
    Order order;
    order.side = side;
    order.price = Ticks(price);
    order.quantity = Lots(quantity);
    order.account = Account(terms.account);
    order.symbol = Symbol(terms.symbol);
    order.type = terms.type;
    order.time_in_force = terms.time_in_force;
    order.self_trade = terms.self_trade;
    return order;
  }
  OrderId place(Side side, i64 price, u64 quantity, const Terms& terms) {
    Order order = make(side, price, quantity, terms);
    order.id = OrderId(++last_id_);
    apply(order);
    return order.id;
  }
  void apply_to(u32 account, Kind kind) {
    Order order;
    order.kind = kind;
    order.account = Account(account);
    apply(order);
  }
  void apply(const Order& order) {
    Recorder recorder;
    verdict = market->apply(order, recorder);
    trades.insert(trades.end(), recorder.fills.begin(), recorder.fills.end());
    removals.insert(removals.end(), recorder.removals.begin(), recorder.removals.end());
  }

  u64 last_id_ = 0;
};

}  // namespace lab::engine
