// Changes to what rests, and to who may trade what: cancel, replace, mass cancel, halt, kill. Part of market.hpp.
#pragma once

#include "engine/market.hpp"

namespace lab::engine {

template <class Ids>
Market<Ids>::Market(const Limits& limits, u64 last_id)
    : limits_(limits),
      last_level_(static_cast<i32>(limits.price_max - limits.price_min)),
      origin_{limits.price_min, limits.price_max + 1},
      slab_(limits.symbols * 2, static_cast<u32>(last_level_) + 1, limits.orders),
      ids_(last_id, limits.orders),
      books_(limits.symbols) {
  killed_.reserve(kMaxKilled);
  u32 side_number = 0;
  for (Book& book : books_) {
    for (BookSide& side : book.sides) {
      side.levels = slab_.first_level(side_number++);
      side.occupancy = Occupancy(static_cast<u32>(last_level_) + 1);
    }
  }
}

template <class Ids>
template <class Sink>
[[gnu::always_inline]] inline Verdict Market<Ids>::apply(const Order& order, Sink& sink) {
  switch (order.kind) {
    case Kind::kNew:
      return place(order, sink);
    case Kind::kCancel:
      return cancel(order.id, order.account);
    case Kind::kReplace:
      return replace(order, sink);
    case Kind::kMassCancel:
      return mass_cancel(order, sink);
    case Kind::kHalt:
      return set_halted(order.symbol, true);
    case Kind::kResume:
      return set_halted(order.symbol, false);
    case Kind::kKill:
      return kill(order, sink);
    case Kind::kLift:
      return lift(order.account);
    case Kind::kUnspecified:
      break;
  }
  return rejected(Reason::kMalformed);
}

template <class Ids>
[[gnu::always_inline]] inline Verdict Market<Ids>::cancel(OrderId id, Account account) {
  const Ref ref = ids_.find(id.value, slab_);
  if (ref == 0 || slab_.node(ref).account != account.value) return rejected(Reason::kNoSuchOrder);
  const Lots quantity(slab_.node(ref).quantity);
  remove(ref);
  return {.outcome = Outcome::kCancelled, .cancelled = quantity};
}

// A smaller quantity at the same price keeps its place. Everything else is a cancel and a new order under the same id,
// done as one: it is refused whole, with the old order untouched, or done.
template <class Ids>
template <class Sink>
[[gnu::noinline]] Verdict Market<Ids>::replace(const Order& order, Sink& sink) {
  const Ref ref = ids_.find(order.id.value, slab_);
  if (ref == 0 || slab_.node(ref).account != order.account.value) return rejected(Reason::kNoSuchOrder);
  Node& node = slab_.node(ref);
  const u32 side_number = slab_.side_of(node.level);
  const u32 side = side_number & 1;
  Book& book = books_[side_number >> 1];
  const bool is_meant = index(order.side) == side && order.symbol.value == side_number >> 1;
  if (order.side != Side::kUnspecified && !is_meant) return rejected(Reason::kNoSuchOrder);
  if (book.halted) return rejected(Reason::kSymbolHalted);
  if (order.quantity.value - 1 >= kMaxQuantity) return rejected(Reason::kQuantityOutOfRange);
  const u64 offset = static_cast<u64>(order.price.value) - static_cast<u64>(limits_.price_min);
  if (offset > static_cast<u64>(last_level_)) return rejected(Reason::kPriceOutOfRange);

  const u32 quantity = static_cast<u32>(order.quantity.value);
  if (level_at(side, offset) == slab_.index_of(node.level)) {
    if (quantity == node.quantity) return rejected(Reason::kNothingToReplace);
    if (quantity < node.quantity) {
      node.quantity = quantity;
      return {.outcome = Outcome::kReplaced, .resting = order.quantity, .resting_price = order.price};
    }
  }
  const bool would_take = crosses(book.sides[side ^ 1], level_at(side, offset));
  if (would_take && order.type == OrderType::kPostOnlyReject) return rejected(Reason::kWouldTake);

  Order renewed = order;
  renewed.symbol = Symbol(side_number >> 1);
  renewed.side = side == 0 ? Side::kBuy : Side::kSell;
  const bool no_room_to_slide = book.sides[side ^ 1].best == last_level_;
  if (would_take && order.type == OrderType::kPostOnlySlide && no_room_to_slide) return rejected(Reason::kWouldTake);
  remove(ref);
  Verdict verdict = place(renewed, sink);
  if (verdict.outcome == Outcome::kResting) verdict.outcome = Outcome::kReplaced;
  return verdict;
}

template <class Ids>
template <class Sink>
[[gnu::noinline]] Verdict Market<Ids>::mass_cancel(const Order& order, Sink& sink) {
  if (order.has_symbol && order.symbol.value >= limits_.symbols) return rejected(Reason::kUnknownSymbol);
  Verdict verdict{.outcome = Outcome::kDone};
  const u32 first = order.has_symbol ? order.symbol.value : 0;
  const u32 last = order.has_symbol ? first : limits_.symbols - 1;
  for (u32 symbol = first; symbol <= last; ++symbol) {
    for (BookSide& side : books_[symbol].sides) {
      for (i32 level = side.best; level >= 0;) {
        const Ref sentinel = side.levels + static_cast<u32>(level);
        for (Ref ref = slab_.link(sentinel).next; ref != sentinel;) {
          const Ref next = slab_.link(ref).next;
          const Node& node = slab_.node(ref);
          if (node.account == order.account.value) {
            verdict.cancelled.value += node.quantity;
            sink.removal({OrderId(node.id), Lots(node.quantity)});
            remove(ref);
          }
          ref = next;
        }
        level = level == 0 ? -1 : side.occupancy.highest_from(static_cast<u32>(level - 1));
      }
    }
  }
  return verdict;
}

template <class Ids>
Verdict Market<Ids>::set_halted(Symbol symbol, bool halted) {
  if (symbol.value >= limits_.symbols) return rejected(Reason::kUnknownSymbol);
  books_[symbol.value].halted = halted;
  return {.outcome = Outcome::kDone};
}

// Killing again cancels what a lift in between let in; it is no error.
template <class Ids>
template <class Sink>
[[gnu::noinline]] Verdict Market<Ids>::kill(const Order& order, Sink& sink) {
  if (!is_killed(order.account)) {
    if (killed_.size() == kMaxKilled) return rejected(Reason::kKillLimitReached);
    killed_.insert(std::ranges::lower_bound(killed_, order.account.value), order.account.value);
  }
  Order all = order;
  all.has_symbol = false;
  return mass_cancel(all, sink);
}

template <class Ids>
Verdict Market<Ids>::lift(Account account) {
  std::erase(killed_, account.value);
  return {.outcome = Outcome::kDone};
}

template <class Ids>
void Market<Ids>::remove(Ref ref) {
  const auto [next, prev] = slab_.link(ref);
  slab_.link(prev).next = next;
  slab_.link(next).prev = prev;
  if (next == prev) {  // only a sentinel is its own neighbour on both sides: the level is empty
    BookSide& side = side_of(next);
    const u32 level = slab_.index_of(next);
    side.occupancy.clear(level);
    if (side.best == static_cast<i32>(level)) side.best = side.occupancy.highest_from(level);
  }
  release(ref);
}

}  // namespace lab::engine
