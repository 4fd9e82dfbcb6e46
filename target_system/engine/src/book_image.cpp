#include "engine/book_image.hpp"

namespace lab::engine {

void BookImage::begin(Sequence sequence) {
  sequence_ = sequence;
  orders_.clear();
  for (Book& book : books_) book = {.bids = {}, .asks = {}, .last_change = sequence, .halted = false, .last_trade_price = {}};
}

void BookImage::add(const RestingOrder& order) {
  const Resting resting{order.symbol.value, order.side, order.price.value, order.quantity.value};
  orders_.emplace(order.id.value, resting);
  levels(resting.symbol, resting.side)[resting.price] += resting.quantity;
}

void BookImage::set_symbol(Symbol symbol, bool halted, Ticks last_trade_price) {
  books_[symbol.value].halted = halted;
  books_[symbol.value].last_trade_price = last_trade_price;
}

const std::vector<Change>& BookImage::follow(const StoredResult& result) {
  changes_.clear();
  result_ = &result;
  sequence_ = result.sequence;
  if (result.verdict.outcome == Outcome::kRejected) return changes_;
  const Symbol symbol(result.command.symbol);
  switch (static_cast<Kind>(result.command.kind)) {
    case Kind::kNew:
      follow_order(result, symbol, static_cast<Side>(result.command.side));
      break;
    case Kind::kReplace: {
      const Resting old = orders_.at(result.order_id.value);
      take_off(result.order_id, old.quantity);
      follow_order(result, Symbol(old.symbol), old.side);
      break;
    }
    case Kind::kCancel:
      take_off(result.order_id, result.verdict.cancelled.value);
      break;
    case Kind::kMassCancel:
    case Kind::kKill:
      for (const Removal& removal : result.removals) take_off(removal.id, removal.quantity.value);
      break;
    case Kind::kHalt:
    case Kind::kResume:
      books_[symbol.value].halted = static_cast<Kind>(result.command.kind) == Kind::kHalt;
      change_in(symbol.value);
      break;
    case Kind::kLift:
    case Kind::kUnspecified:
      break;
  }
  for (Change& change : changes_) {
    change.halted = books_[change.symbol.value].halted;
    for (LevelTotal& level : change.levels) {
      const Levels& all = levels(change.symbol.value, level.side);
      const auto at = all.find(level.price.value);
      level.quantity = Lots(at == all.end() ? 0 : at->second);
    }
  }
  return changes_;
}

void BookImage::follow_order(const StoredResult& result, Symbol symbol, Side side) {
  for (const Fill& fill : result.fills) {
    take_off(fill.maker, fill.quantity.value);
    Change& change = change_in(symbol.value);
    change.taker = side;
    change.prints.push_back({fill.trade_id, fill.price, fill.quantity});
    books_[symbol.value].last_trade_price = fill.price;
  }
  for (const Removal& removal : result.removals) take_off(removal.id, removal.quantity.value);
  const Verdict& verdict = result.verdict;
  if (verdict.resting.value > 0) {
    put_on(result.order_id, {symbol.value, side, verdict.resting_price.value, verdict.resting.value});
  }
}

void BookImage::take_off(OrderId id, u64 quantity) {
  const auto at = orders_.find(id.value);
  const Resting resting = at->second;
  at->second.quantity -= quantity;
  if (at->second.quantity == 0) orders_.erase(at);
  moved(resting.symbol, resting.side, resting.price, -static_cast<i64>(quantity));
}

void BookImage::put_on(OrderId id, const Resting& resting) {
  orders_.insert_or_assign(id.value, resting);
  moved(resting.symbol, resting.side, resting.price, static_cast<i64>(resting.quantity));
}

void BookImage::moved(u32 symbol, Side side, i64 price, i64 by) {
  Levels& all = levels(symbol, side);
  const auto at = all.try_emplace(price, 0).first;
  at->second += static_cast<u64>(by);
  if (at->second == 0) all.erase(at);
  auto& named = change_in(symbol).levels;
  // A sweep or a mass cancel names a level once for each order: they come one after the other.
  if (named.empty() || named.back().side != side || named.back().price.value != price) {
    named.push_back({side, Ticks(price), Lots(0)});
  }
}

Change& BookImage::change_in(u32 symbol) {
  if (changes_.empty() || changes_.back().symbol.value != symbol) {
    Book& book = books_[symbol];
    changes_.push_back({.symbol = Symbol(symbol),
                        .sequence = sequence_,
                        .previous = book.last_change,
                        .received_ns = result_->command.received_ns,
                        .levels = {},
                        .prints = {}});
    book.last_change = sequence_;
  }
  return changes_.back();
}

}  // namespace lab::engine
