// Looking at the books, and putting them back as they were. Part of market.hpp.
#pragma once

#include "engine/market.hpp"

namespace lab::engine {

template <class Ids>
template <class Visit>
void Market<Ids>::each_resting(Visit&& visit) const {
  for (const Book& book : books_) {
    for (const BookSide& side : book.sides) {
      for (i32 level = side.best; level >= 0;
           level = level == 0 ? -1 : side.occupancy.highest_from(static_cast<u32>(level - 1))) {
        const Ref sentinel = side.levels + static_cast<u32>(level);
        for (Ref ref = slab_.link(sentinel).next; ref != sentinel; ref = slab_.link(ref).next) {
          visit(describe(slab_.node(ref)));
        }
      }
    }
  }
}

template <class Ids>
RestingOrder Market<Ids>::describe(const Node& node) const {
  const u32 side = slab_.side_of(node.level);
  return {.id = OrderId(node.id),
          .account = Account(node.account),
          .symbol = Symbol(side >> 1),
          .side = (side & 1) == 0 ? Side::kBuy : Side::kSell,
          .price = Ticks(price_at(side & 1, slab_.index_of(node.level))),
          .quantity = Lots(node.quantity)};
}

template <class Ids>
template <class Visit>
void Market<Ids>::each_level(Symbol symbol, Side which, u32 depth, Visit&& visit) const {
  const u32 number = index(which);
  const BookSide& side = books_[symbol.value].sides[number];
  for (i32 level = side.best; level >= 0 && depth > 0; --depth) {
    const Ref sentinel = side.levels + static_cast<u32>(level);
    u64 quantity = 0;
    u32 orders = 0;
    for (Ref ref = slab_.link(sentinel).next; ref != sentinel; ref = slab_.link(ref).next) {
      quantity += slab_.node(ref).quantity;
      ++orders;
    }
    visit(Ticks(price_at(number, level)), quantity, orders);
    level = level == 0 ? -1 : side.occupancy.highest_from(static_cast<u32>(level - 1));
  }
}

template <class Ids>
void Market<Ids>::restore(const RestingOrder& order) {
  const u32 side = index(order.side);
  const u64 offset = static_cast<u64>(order.price.value - limits_.price_min);
  rest(books_[order.symbol.value].sides[side], level_at(side, offset), slab_.take(), order.id.value,
       order.account.value, static_cast<u32>(order.quantity.value));
}

template <class Ids>
void Market<Ids>::restore_symbol(Symbol symbol, bool halted, Ticks last_trade_price) {
  books_[symbol.value].halted = halted;
  books_[symbol.value].last_trade_price = last_trade_price.value;
}

}  // namespace lab::engine
