// The books as results show them: followed from the journal's records, without asking the thread that owns them.
//
// Seeded once with what rests, then given each result in sequence. It knows for each price level the quantity that rests
// there, and says after each result which levels changed and what was traded. Owned by one thread.
#pragma once

#include <functional>
#include <map>
#include <unordered_map>
#include <vector>

#include "engine/types.hpp"
#include "engine/wire.hpp"

namespace lab::engine {

struct LevelTotal {
  Side side;
  Ticks price;
  Lots quantity;  // 0: nothing rests here any more
};

struct Print {
  u64 trade_id;
  Ticks price;
  Lots quantity;
};

// What one command changed in one symbol. A level may be named twice, both times with what rests there at the end.
struct Change {
  Symbol symbol;
  Sequence sequence;
  Sequence previous;  // of the symbol's change before this one, or of the seed
  u64 received_ns = 0;
  Side taker = Side::kUnspecified;
  bool halted = false;
  std::vector<LevelTotal> levels;
  std::vector<Print> prints;
};

class BookImage {
 public:
  explicit BookImage(u32 symbols) : books_(symbols) {}

  // Begins with empty books that have seen everything up to `sequence`; add() and set_symbol() then fill them.
  void begin(Sequence sequence);
  void add(const RestingOrder& order);
  void set_symbol(Symbol symbol, bool halted, Ticks last_trade_price);

  // Follows the next result. The changes, one for each symbol touched, are good until the next call.
  const std::vector<Change>& follow(const StoredResult& result);

  Sequence sequence() const { return sequence_; }
  u32 symbols() const { return static_cast<u32>(books_.size()); }
  Sequence last_change(Symbol symbol) const { return books_[symbol.value].last_change; }
  bool halted(Symbol symbol) const { return books_[symbol.value].halted; }
  Ticks last_trade_price(Symbol symbol) const { return books_[symbol.value].last_trade_price; }

  // Calls visit(Ticks price, Lots quantity) for every level, best first.
  template <class Visit>
  void each_level(Symbol symbol, Side side, Visit&& visit) const {
    const Book& book = books_[symbol.value];
    if (side == Side::kBuy) {
      for (auto at = book.bids.rbegin(); at != book.bids.rend(); ++at) visit(Ticks(at->first), Lots(at->second));
    } else {
      for (const auto& [price, quantity] : book.asks) visit(Ticks(price), Lots(quantity));
    }
  }

 private:
  using Levels = std::map<i64, u64>;
  struct Book {
    Levels bids;
    Levels asks;
    Sequence last_change;
    bool halted = false;
    Ticks last_trade_price;
  };
  struct Resting {
    u32 symbol;
    Side side;
    i64 price;
    u64 quantity;
  };

  void follow_order(const StoredResult& result, Symbol symbol, Side side);
  void take_off(OrderId id, u64 quantity);
  void put_on(OrderId id, const Resting& resting);
  void moved(u32 symbol, Side side, i64 price, i64 by);
  Change& change_in(u32 symbol);
  Levels& levels(u32 symbol, Side side) { return side == Side::kBuy ? books_[symbol].bids : books_[symbol].asks; }

  Sequence sequence_;
  std::vector<Book> books_;
  std::unordered_map<u64, Resting> orders_;
  std::vector<Change> changes_;
  const StoredResult* result_ = nullptr;  // the one that is followed
};

}  // namespace lab::engine
