// The books of all symbols and the rules by which orders meet in them: price first, then time.
//
// Owned by one thread. Nothing here allocates after construction, reads a clock, logs or throws; the same orders in the
// same sequence give the same verdicts, fills and trade hash. What the caller wants to know of fills and removals goes
// into its sink, an object with `fill(const Fill&)` and `removal(const Removal&)`.
//
//   Market<DenseIds> market(limits, last_id);
//   Verdict verdict = market.apply(order, sink);
//
// Both sides share one code path. Levels are numbered from the side's own point of view, 0 the worst: a bid's level is
// price - min, an ask's is max - price. So the best is always the highest, and a level of one side crosses one of the
// other if their sum reaches `last_level_`; an empty side has best -1, which crosses nothing.
#pragma once

#include <algorithm>
#include <vector>

#include "engine/id_index.hpp"
#include "engine/occupancy.hpp"
#include "engine/slab.hpp"

namespace lab::engine {

struct Tape {
  u64 last_trade_id = 0;
  u64 trade_hash = 0xcbf29ce484222325ULL;

  void print(u64 maker, u64 taker, i64 price, u64 quantity) {
    ++last_trade_id;
    const u64 mix = maker * 0x9E3779B97F4A7C15ULL + taker * 0xC2B2AE3D27D4EB4FULL +
                    static_cast<u64>(price) * 1'000'003ULL + quantity;
    trade_hash = (trade_hash ^ mix) * 0x100000001b3ULL;
  }
};

template <class Ids>
class Market {
 public:
  // `last_id`: the highest order id that will ever be given; only DenseIds asks for it.
  Market(const Limits& limits, u64 last_id);

  template <class Sink>
  Verdict apply(const Order& order, Sink& sink);

  // What apply() leads to; benchmarks and tests may call them directly.
  template <class Sink>
  Verdict place(const Order& order, Sink& sink);
  Verdict cancel(OrderId id, Account account);
  template <class Sink>
  Verdict replace(const Order& order, Sink& sink);
  template <class Sink>
  Verdict mass_cancel(const Order& order, Sink& sink);
  Verdict set_halted(Symbol symbol, bool halted);
  template <class Sink>
  Verdict kill(const Order& order, Sink& sink);
  Verdict lift(Account account);

  // Brings near what finding this order will touch; for callers that know some commands ahead.
  void prefetch(OrderId id) const { ids_.prefetch(id.value); }

  // Puts an order behind those of its level without matching: for snapshots, in the order of each_resting().
  void restore(const RestingOrder& order);
  void restore_symbol(Symbol symbol, bool halted, Ticks last_trade_price);
  void restore_killed(Account account) { killed_.push_back(account.value); }
  void restore_tape(const Tape& tape) { tape_ = tape; }

  const Limits& limits() const { return limits_; }
  const Tape& tape() const { return tape_; }
  u32 resting_orders() const { return slab_.live(); }
  const std::vector<u32>& killed() const { return killed_; }
  bool halted(Symbol symbol) const { return books_[symbol.value].halted; }
  Ticks last_trade_price(Symbol symbol) const { return Ticks(books_[symbol.value].last_trade_price); }

  // Calls visit(const RestingOrder&): symbols in order, bids then asks, best price first, first in first.
  template <class Visit>
  void each_resting(Visit&& visit) const;
  // Calls visit(Ticks price, u64 quantity, u32 orders) for the best `depth` levels.
  template <class Visit>
  void each_level(Symbol symbol, Side side, u32 depth, Visit&& visit) const;

 private:
  struct alignas(64) BookSide {
    i32 best = -1;
    Ref levels = 0;
    Occupancy occupancy;
  };
  struct Book {
    BookSide sides[2];  // bids, asks
    i64 last_trade_price = 0;
    bool halted = false;
  };
  struct Taker {
    u64 id;
    u32 account;
    u32 remaining;
    u32 cancelled;
    SelfTrade self_trade;
  };

  static Verdict rejected(Reason reason) { return {.outcome = Outcome::kRejected, .reason = reason}; }
  static u32 index(Side side) { return side == Side::kSell ? 1 : 0; }

  // Side 0 counts up from the lowest price, side 1 down from the highest. Without a branch: sides come like coin tosses, and
  // half of the guesses would be wrong (~x is -x - 1).
  i64 price_at(u32 side, i64 level) const { return origin_[side] + (level ^ -static_cast<i64>(side)); }
  u32 level_at(u32 side, u64 offset) const {
    const u64 mirror = -static_cast<u64>(side);
    return static_cast<u32>((offset ^ mirror) + (static_cast<u64>(last_level_ + 1) & mirror));
  }
  bool crosses(const BookSide& opposite, u32 level) const {
    return opposite.best + static_cast<i32>(level) >= last_level_;
  }

  // market_place.hpp
  template <class Sink>
  Verdict place_special(const Order& order, Book& book, u32 side, u32 level, Sink& sink);
  template <bool kPreventSelfTrade, class Sink>
  void match(Book& book, u32 side, u32 level, Taker& taker, Sink& sink);
  template <class Sink>
  bool prevent_self_trade(Ref& maker, Taker& taker, Sink& sink);
  bool is_killed(Account account) const { return std::ranges::binary_search(killed_, account.value); }
  Verdict settle(const Order& order, Book& book, u32 side, u32 level, const Taker& taker);
  bool fillable(const Order& order, const Book& book, u32 side, u32 level) const;
  RestingOrder describe(const Node& node) const;

  void rest(BookSide& own, u32 level, Ref ref, u64 id, u32 account, u32 quantity);
  void release(Ref ref);
  void remove(Ref ref);
  BookSide& side_of(Ref level) {
    const u32 side = slab_.side_of(level);
    return books_[side >> 1].sides[side & 1];
  }

  Limits limits_;
  i32 last_level_;
  i64 origin_[2];
  Slab slab_;
  Ids ids_;
  Tape tape_;
  std::vector<Book> books_;
  std::vector<u32> killed_;  // accounts, sorted; its capacity is set once
};

}  // namespace lab::engine

#include "engine/market_change.hpp"
#include "engine/market_place.hpp"
#include "engine/market_view.hpp"
