// The rules once more, slow and plain: a vector in order of arrival, searched whole each time. Shares no code with the
// real one but the words, so that both being wrong in the same way is unlikely.
#pragma once

#include <algorithm>
#include <optional>
#include <set>
#include <vector>

#include "engine/market.hpp"

namespace lab::engine {

struct PlainAnswer {
  Verdict verdict;
  std::vector<Fill> fills;
  std::vector<Removal> removals;
};

class PlainMarket {
 public:
  explicit PlainMarket(const Limits& limits) : limits_(limits), halted_(limits.symbols) {}

  PlainAnswer apply(const Order& order) {
    switch (order.kind) {
      case Kind::kNew:
        return place(order);
      case Kind::kCancel:
        return cancel(order);
      case Kind::kReplace:
        return replace(order);
      case Kind::kMassCancel:
        return mass_cancel(order);
      case Kind::kKill:
        return kill(order);
      case Kind::kLift:
        killed_.erase(order.account.value);
        return {{Outcome::kDone}, {}, {}};
      default:
        return set_halted(order);
    }
  }

  // By symbol, bids then asks, best first, first in first.
  std::vector<RestingOrder> sorted() const {
    std::vector<RestingOrder> out = resting_;
    std::ranges::stable_sort(out, [](const RestingOrder& a, const RestingOrder& b) {
      if (a.symbol != b.symbol) return a.symbol < b.symbol;
      if (a.side != b.side) return a.side == Side::kBuy;
      return a.side == Side::kBuy ? a.price > b.price : a.price < b.price;
    });
    return out;
  }
  u64 trades() const { return trades_; }

 private:
  using Place = std::vector<RestingOrder>::iterator;

  static PlainAnswer rejected(Reason reason) { return {{Outcome::kRejected, reason}, {}, {}}; }

  bool in_range(Ticks price) const { return price.value >= limits_.price_min && price.value <= limits_.price_max; }
  static bool good(Lots quantity) { return quantity.value >= 1 && quantity.value <= kMaxQuantity; }

  static bool meets(Side side, Ticks limit, Ticks maker) { return side == Side::kBuy ? maker <= limit : maker >= limit; }

  // The order that `order` would trade with first.
  Place best_maker(const Order& order) {
    Place best = resting_.end();
    for (Place maker = resting_.begin(); maker != resting_.end(); ++maker) {
      if (maker->symbol != order.symbol || maker->side == order.side) continue;
      if (order.type != OrderType::kMarket && !meets(order.side, order.price, maker->price)) continue;
      if (best == resting_.end() || (order.side == Side::kBuy ? maker->price < best->price : maker->price > best->price)) {
        best = maker;
      }
    }
    return best;
  }

  PlainAnswer place(const Order& asked) {
    if (asked.symbol.value >= limits_.symbols) return rejected(Reason::kUnknownSymbol);
    if (halted_[asked.symbol.value]) return rejected(Reason::kSymbolHalted);
    if (killed_.contains(asked.account.value)) return rejected(Reason::kAccountKilled);
    if (!good(asked.quantity)) return rejected(Reason::kQuantityOutOfRange);
    if (asked.type != OrderType::kMarket && !in_range(asked.price)) return rejected(Reason::kPriceOutOfRange);
    Order order = asked;
    const Place touch = best_maker(order);
    const bool post_only = order.type == OrderType::kPostOnlyReject || order.type == OrderType::kPostOnlySlide;
    if (post_only && touch != resting_.end()) {
      if (order.type == OrderType::kPostOnlyReject) return rejected(Reason::kWouldTake);
      order.price.value = touch->price.value + (order.side == Side::kBuy ? -1 : 1);
      if (!in_range(order.price)) return rejected(Reason::kWouldTake);
    }
    if (order.time_in_force == TimeInForce::kFok) {
      PlainMarket rehearsal = *this;
      if (rehearsal.take(order).verdict.filled != order.quantity) return rejected(Reason::kNotFillable);
    }
    return finish(order, take(order));
  }

  // Trades and self-trade prevention; the verdict says only what was filled and cancelled.
  PlainAnswer take(const Order& order) {
    PlainAnswer answer;
    u64 open = order.quantity.value;
    while (open > 0) {
      const Place maker = best_maker(order);
      if (maker == resting_.end()) break;
      if (maker->account == order.account && order.self_trade != SelfTrade::kOff) {
        open = prevent(order, maker, open, answer);
        continue;
      }
      const u64 traded = std::min(open, maker->quantity.value);
      answer.fills.push_back({++trades_, maker->id, maker->account, maker->price, Lots(traded)});
      answer.verdict.filled.value += traded;
      open -= traded;
      shrink(maker, traded);
    }
    return answer;
  }

  u64 prevent(const Order& order, Place maker, u64 open, PlainAnswer& answer) {
    const u64 theirs = maker->quantity.value;
    const u64 common = std::min(open, theirs);
    u64& cancelled = answer.verdict.cancelled.value;
    switch (order.self_trade) {
      case SelfTrade::kCancelNewest:
        cancelled += open;
        return 0;
      case SelfTrade::kCancelOldest:
        answer.removals.push_back({maker->id, Lots(theirs)});
        resting_.erase(maker);
        return open;
      case SelfTrade::kCancelBoth:
        answer.removals.push_back({maker->id, Lots(theirs)});
        resting_.erase(maker);
        cancelled += open;
        return 0;
      default:
        answer.removals.push_back({maker->id, Lots(common)});
        shrink(maker, common);
        cancelled += common;
        return open - common;
    }
  }

  void shrink(Place maker, u64 quantity) {
    maker->quantity.value -= quantity;
    if (maker->quantity.value == 0) resting_.erase(maker);
  }

  PlainAnswer finish(const Order& order, PlainAnswer answer) {
    Verdict& verdict = answer.verdict;
    const bool prevented = verdict.cancelled.value > 0;
    const u64 open = order.quantity.value - verdict.filled.value - verdict.cancelled.value;
    if (open == 0) {
      verdict.outcome = prevented ? Outcome::kCancelled : Outcome::kFilled;
      verdict.reason = prevented ? Reason::kSelfTrade : Reason::kNone;
      return answer;
    }
    const bool rests = order.type != OrderType::kMarket && order.time_in_force == TimeInForce::kGtc;
    if (rests && resting_.size() < limits_.orders) {
      resting_.push_back({order.id, order.account, order.symbol, order.side, order.price, Lots(open)});
      verdict.outcome = Outcome::kResting;
      verdict.reason = prevented ? Reason::kSelfTrade : Reason::kNone;
      verdict.resting = Lots(open);
      verdict.resting_price = order.price;
      return answer;
    }
    const Reason reason = rests ? Reason::kOrderLimitReached : Reason::kNoLiquidity;
    if (rests && verdict.filled.value + verdict.cancelled.value == 0) return {{Outcome::kRejected, reason}, {}, answer.removals};
    verdict.outcome = Outcome::kCancelled;
    verdict.reason = reason;
    verdict.cancelled.value += open;
    return answer;
  }

  Place find(const Order& order) {
    return std::ranges::find_if(resting_, [&](const RestingOrder& resting) {
      return resting.id == order.id && resting.account == order.account;
    });
  }

  PlainAnswer cancel(const Order& order) {
    const Place found = find(order);
    if (found == resting_.end()) return rejected(Reason::kNoSuchOrder);
    const Verdict verdict{.outcome = Outcome::kCancelled, .cancelled = found->quantity};
    resting_.erase(found);
    return {verdict, {}, {}};
  }

  PlainAnswer replace(const Order& asked) {
    const Place found = find(asked);
    if (found == resting_.end()) return rejected(Reason::kNoSuchOrder);
    const bool is_meant = asked.side == found->side && asked.symbol == found->symbol;
    if (asked.side != Side::kUnspecified && !is_meant) return rejected(Reason::kNoSuchOrder);
    if (halted_[found->symbol.value]) return rejected(Reason::kSymbolHalted);
    if (!good(asked.quantity)) return rejected(Reason::kQuantityOutOfRange);
    if (!in_range(asked.price)) return rejected(Reason::kPriceOutOfRange);
    if (asked.price == found->price && asked.quantity == found->quantity) return rejected(Reason::kNothingToReplace);
    if (asked.price == found->price && asked.quantity < found->quantity) {
      found->quantity = asked.quantity;
      return {{.outcome = Outcome::kReplaced, .resting = asked.quantity, .resting_price = asked.price}, {}, {}};
    }
    Order order = asked;
    order.symbol = found->symbol;
    order.side = found->side;
    const auto before = resting_;
    resting_.erase(found);
    PlainAnswer answer = place(order);
    if (answer.verdict.outcome == Outcome::kRejected) resting_ = before;
    if (answer.verdict.outcome == Outcome::kResting) answer.verdict.outcome = Outcome::kReplaced;
    return answer;
  }

  PlainAnswer kill(Order order) {
    killed_.insert(order.account.value);
    order.has_symbol = false;
    return mass_cancel(order);
  }

  PlainAnswer mass_cancel(const Order& order) {
    if (order.has_symbol && order.symbol.value >= limits_.symbols) return rejected(Reason::kUnknownSymbol);
    PlainAnswer answer{{.outcome = Outcome::kDone}, {}, {}};
    for (const RestingOrder& resting : sorted()) {
      if (resting.account != order.account || (order.has_symbol && resting.symbol != order.symbol)) continue;
      answer.removals.push_back({resting.id, resting.quantity});
      answer.verdict.cancelled.value += resting.quantity.value;
      std::erase_if(resting_, [&](const RestingOrder& other) { return other.id == resting.id; });
    }
    return answer;
  }

  PlainAnswer set_halted(const Order& order) {
    if (order.symbol.value >= limits_.symbols) return rejected(Reason::kUnknownSymbol);
    halted_[order.symbol.value] = order.kind == Kind::kHalt;
    return {{.outcome = Outcome::kDone}, {}, {}};
  }

  Limits limits_;
  std::vector<bool> halted_;
  std::set<u32> killed_;
  std::vector<RestingOrder> resting_;
  u64 trades_ = 0;
};

}  // namespace lab::engine
