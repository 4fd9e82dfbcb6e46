// The engine one writes first: std::map of std::list, and where each order is by its id. What the real one is measured
// against, and a plain second opinion on limit orders and cancels. It gets the same advantage from dense ids: a vector
// instead of a std::unordered_map.
#pragma once

#include <functional>
#include <list>
#include <map>
#include <unordered_map>
#include <vector>

#include "engine/market.hpp"

namespace lab::engine::bench {

struct NaivePlace {
  struct Resting {
    u64 id;
    u32 account;
    u32 quantity;
  };
  using Level = std::list<Resting>;

  Level::iterator order;
  i64 price = 0;
  u32 symbol = 0;
  bool is_sell = false;
  bool live = false;
};

class HashedPlaces {
 public:
  explicit HashedPlaces(u64 /*last_id*/) { places_.reserve(65'536); }

  void insert(u64 id, const NaivePlace& place) { places_.emplace(id, place); }
  void erase(u64 id) { places_.erase(id); }
  const NaivePlace* find(u64 id) const {
    const auto found = places_.find(id);
    return found == places_.end() ? nullptr : &found->second;
  }

 private:
  std::unordered_map<u64, NaivePlace> places_;
};

class DensePlaces {
 public:
  explicit DensePlaces(u64 last_id) : places_(last_id + 1) {}

  void insert(u64 id, const NaivePlace& place) { places_[id] = place; }
  void erase(u64 id) { places_[id].live = false; }
  const NaivePlace* find(u64 id) const { return places_[id].live ? &places_[id] : nullptr; }

 private:
  std::vector<NaivePlace> places_;
};

template <class Places>
class NaiveMarket {
 public:
  NaiveMarket(std::size_t symbols, u64 last_id) : books_(symbols), places_(last_id) {}

  // on_trade(maker id, price, quantity, whether the maker is filled)
  template <class OnTrade>
  void place(u64 id, u32 account, u32 symbol, bool is_sell, i64 price, u32 quantity, OnTrade&& on_trade) {
    Book& book = books_[symbol];
    if (is_sell) {
      quantity = match(book.bids, id, quantity, [price](i64 best) { return best >= price; }, on_trade);
      if (quantity != 0) rest(book.asks, {id, account, quantity}, symbol, is_sell, price);
    } else {
      quantity = match(book.asks, id, quantity, [price](i64 best) { return best <= price; }, on_trade);
      if (quantity != 0) rest(book.bids, {id, account, quantity}, symbol, is_sell, price);
    }
  }

  bool cancel(u64 id) {
    const NaivePlace* const place = places_.find(id);
    if (place == nullptr) return false;
    if (place->is_sell) {
      erase(books_[place->symbol].asks, *place);
    } else {
      erase(books_[place->symbol].bids, *place);
    }
    places_.erase(id);
    return true;
  }

  const NaivePlace* find(u64 id) const { return places_.find(id); }
  const Tape& tape() const { return tape_; }

 private:
  using Resting = NaivePlace::Resting;
  using Level = NaivePlace::Level;
  struct Book {
    std::map<i64, Level, std::greater<>> bids;
    std::map<i64, Level> asks;
  };

  template <class Side, class Crosses, class OnTrade>
  u32 match(Side& side, u64 taker, u32 quantity, Crosses&& crosses, OnTrade&& on_trade) {
    while (quantity != 0 && !side.empty() && crosses(side.begin()->first)) {
      const i64 price = side.begin()->first;
      Level& level = side.begin()->second;
      Resting& maker = level.front();
      const u32 traded = std::min(maker.quantity, quantity);
      tape_.print(maker.id, taker, price, traded);
      quantity -= traded;
      maker.quantity -= traded;
      on_trade(maker.id, price, traded, maker.quantity == 0);
      if (maker.quantity != 0) continue;
      places_.erase(maker.id);
      level.pop_front();
      if (level.empty()) side.erase(side.begin());
    }
    return quantity;
  }

  template <class Side>
  void rest(Side& side, const Resting& order, u32 symbol, bool is_sell, i64 price) {
    Level& level = side[price];
    level.push_back(order);
    places_.insert(order.id, {std::prev(level.end()), price, symbol, is_sell, true});
  }

  template <class Side>
  void erase(Side& side, const NaivePlace& place) {
    const auto level = side.find(place.price);
    level->second.erase(place.order);
    if (level->second.empty()) side.erase(level);
  }

  std::vector<Book> books_;
  Places places_;
  Tape tape_;
};

}  // namespace lab::engine::bench
