// New orders: matching, and what becomes of the remainder. Part of market.hpp.
#pragma once

#include "engine/market.hpp"

namespace lab::engine {

template <class Ids>
template <class Sink>
[[gnu::always_inline]] inline Verdict Market<Ids>::place(const Order& order, Sink& sink) {
  if (order.symbol.value >= limits_.symbols) [[unlikely]] return rejected(Reason::kUnknownSymbol);
  Book& book = books_[order.symbol.value];
  if (book.halted) [[unlikely]] return rejected(Reason::kSymbolHalted);
  if (!killed_.empty() && is_killed(order.account)) [[unlikely]] return rejected(Reason::kAccountKilled);
  if (order.quantity.value - 1 >= kMaxQuantity) [[unlikely]] return rejected(Reason::kQuantityOutOfRange);
  const bool is_market = order.type == OrderType::kMarket;
  const u64 offset = static_cast<u64>(order.price.value) - static_cast<u64>(limits_.price_min);
  if (!is_market && offset > static_cast<u64>(last_level_)) [[unlikely]] return rejected(Reason::kPriceOutOfRange);

  const u32 side = index(order.side);
  const u32 level = is_market ? static_cast<u32>(last_level_) : level_at(side, offset);
  const bool plain = order.type == OrderType::kLimit && order.time_in_force == TimeInForce::kGtc &&
                     order.self_trade == SelfTrade::kOff;
  if (!plain) return place_special(order, book, side, level, sink);

  Taker taker{order.id.value, order.account.value, static_cast<u32>(order.quantity.value), 0, SelfTrade::kOff};
  if (crosses(book.sides[side ^ 1], level)) match<false>(book, side, level, taker, sink);
  return settle(order, book, side, level, taker);
}

template <class Ids>
template <class Sink>
[[gnu::noinline]] Verdict Market<Ids>::place_special(const Order& order, Book& book, u32 side, u32 level, Sink& sink) {
  const BookSide& opposite = book.sides[side ^ 1];
  if (crosses(opposite, level)) {
    if (order.type == OrderType::kPostOnlyReject) return rejected(Reason::kWouldTake);
    if (order.type == OrderType::kPostOnlySlide) {
      if (opposite.best == last_level_) return rejected(Reason::kWouldTake);  // no price is left behind the touch
      level = static_cast<u32>(last_level_ - 1 - opposite.best);
    }
  }
  if (order.time_in_force == TimeInForce::kFok && !fillable(order, book, side, level)) {
    return rejected(Reason::kNotFillable);
  }
  Taker taker{order.id.value, order.account.value, static_cast<u32>(order.quantity.value), 0, order.self_trade};
  if (order.self_trade == SelfTrade::kOff) {
    match<false>(book, side, level, taker, sink);
  } else {
    match<true>(book, side, level, taker, sink);
  }
  return settle(order, book, side, level, taker);
}

// Takes from the opposite side, best level first, until the taker is done or nothing crosses its level any more.
template <class Ids>
template <bool kPreventSelfTrade, class Sink>
void Market<Ids>::match(Book& book, u32 side, u32 level, Taker& taker, Sink& sink) {
  BookSide& opposite = book.sides[side ^ 1];
  while (taker.remaining != 0 && crosses(opposite, level)) {
    const i64 price = price_at(side ^ 1, opposite.best);
    const Ref sentinel = opposite.levels + static_cast<u32>(opposite.best);
    Ref ref = slab_.link(sentinel).next;
    do {
      Node& maker = slab_.node(ref);
      if constexpr (kPreventSelfTrade) {
        if (maker.account == taker.account) {
          if (prevent_self_trade(ref, taker, sink)) continue;
          break;
        }
      }
      const u32 traded = std::min(maker.quantity, taker.remaining);
      tape_.print(maker.id, taker.id, price, traded);
      sink.fill({tape_.last_trade_id, OrderId(maker.id), Account(maker.account), Ticks(price), Lots(traded)});
      taker.remaining -= traded;
      maker.quantity -= traded;
      book.last_trade_price = price;
      if (maker.quantity != 0) break;
      const Ref next = maker.link.next;
      release(ref);
      ref = next;
    } while (ref != sentinel && taker.remaining != 0);

    slab_.link(sentinel).next = ref;  // all before it are gone
    slab_.link(ref).prev = sentinel;
    if (ref == sentinel) {
      const u32 emptied = static_cast<u32>(opposite.best);
      opposite.occupancy.clear(emptied);
      opposite.best = opposite.occupancy.highest_from(emptied);
    }
  }
}

// The maker at `maker` is the taker's own. True if matching may go on, with `maker` moved to the next order.
template <class Ids>
template <class Sink>
bool Market<Ids>::prevent_self_trade(Ref& maker, Taker& taker, Sink& sink) {
  Node& node = slab_.node(maker);
  const bool drop_maker = taker.self_trade == SelfTrade::kCancelOldest || taker.self_trade == SelfTrade::kCancelBoth;
  const bool drop_taker = taker.self_trade == SelfTrade::kCancelNewest || taker.self_trade == SelfTrade::kCancelBoth;
  const bool decrement = taker.self_trade == SelfTrade::kDecrement;
  const u32 common = std::min(node.quantity, taker.remaining);
  const u32 from_maker = drop_maker ? node.quantity : decrement ? common : 0;
  const u32 from_taker = drop_taker ? taker.remaining : decrement ? common : 0;

  if (from_maker != 0) sink.removal({OrderId(node.id), Lots(from_maker)});
  node.quantity -= from_maker;
  taker.remaining -= from_taker;
  taker.cancelled += from_taker;
  if (node.quantity == 0) {
    const Ref next = node.link.next;
    release(maker);
    maker = next;
  }
  return taker.remaining != 0;
}

template <class Ids>
[[gnu::always_inline]] inline Verdict Market<Ids>::settle(const Order& order, Book& book, u32 side, u32 level, const Taker& taker) {
  const Lots filled(order.quantity.value - taker.remaining - taker.cancelled);
  if (taker.remaining == 0) {
    if (taker.cancelled == 0) return {.outcome = Outcome::kFilled, .filled = filled};
    return {Outcome::kCancelled, Reason::kSelfTrade, filled, Lots(0), Lots(taker.cancelled), Ticks(0)};
  }
  const Lots unfilled(u64{taker.cancelled} + taker.remaining);
  const bool may_rest = order.type != OrderType::kMarket && order.time_in_force == TimeInForce::kGtc;
  if (!may_rest) return {Outcome::kCancelled, Reason::kNoLiquidity, filled, Lots(0), unfilled, Ticks(0)};

  const Ref ref = slab_.take();
  if (ref == 0) [[unlikely]] {
    if (unfilled == order.quantity) return rejected(Reason::kOrderLimitReached);
    return {Outcome::kCancelled, Reason::kOrderLimitReached, filled, Lots(0), unfilled, Ticks(0)};
  }
  rest(book.sides[side], level, ref, order.id.value, order.account.value, taker.remaining);
  const Reason reason = taker.cancelled == 0 ? Reason::kNone : Reason::kSelfTrade;
  return {Outcome::kResting,     reason, filled, Lots(taker.remaining), Lots(taker.cancelled),
          Ticks(price_at(side, level))};
}

// Whether a fill-or-kill order would be filled whole, with its own orders in its way treated as its prevention says.
template <class Ids>
bool Market<Ids>::fillable(const Order& order, const Book& book, u32 side, u32 level) const {
  const BookSide& opposite = book.sides[side ^ 1];
  u64 wanted = order.quantity.value;
  for (i32 at = opposite.best; at >= 0 && at + static_cast<i32>(level) >= last_level_;
       at = at == 0 ? -1 : opposite.occupancy.highest_from(static_cast<u32>(at - 1))) {
    const Ref sentinel = opposite.levels + static_cast<u32>(at);
    for (Ref ref = slab_.link(sentinel).next; ref != sentinel; ref = slab_.link(ref).next) {
      const Node& maker = slab_.node(ref);
      if (order.self_trade != SelfTrade::kOff && maker.account == order.account.value) {
        if (order.self_trade != SelfTrade::kCancelOldest) return false;
        continue;
      }
      if (maker.quantity >= wanted) return true;
      wanted -= maker.quantity;
    }
  }
  return false;
}

template <class Ids>
[[gnu::always_inline]] inline void Market<Ids>::rest(BookSide& own, u32 level, Ref ref, u64 id, u32 account, u32 quantity) {
  const Ref sentinel = own.levels + level;
  Link& ring = slab_.link(sentinel);
  if (!own.occupancy.test(level)) {  // the ring of a level that was never used is all zero
    own.occupancy.set(level);
    ring = {sentinel, sentinel};
    own.best = std::max(own.best, static_cast<i32>(level));
  }
  Node& node = slab_.node(ref);
  node.link = {sentinel, ring.prev};
  node.id = id;
  node.quantity = quantity;
  node.level = sentinel;
  node.account = account;
  slab_.link(ring.prev).next = ref;
  ring.prev = ref;
  ids_.insert(id, ref, slab_);
}

template <class Ids>
void Market<Ids>::release(Ref ref) {
  ids_.erase(slab_.node(ref).id, ref, slab_);
  slab_.give_back(ref);
}

}  // namespace lab::engine
