// The engines under measurement behind one call per event. Ids are the flow's own or 64-bit numbers spread by a bijection.
#pragma once

#include "engine/market.hpp"
#include "flow.hpp"
#include "naive.hpp"

namespace lab::engine::bench {

struct OwnIds {
  static u64 of(u32 id) { return id; }
};

struct SpreadIds {
  static u64 of(u32 id) {
    const u64 product = id * 0xD6E8FEB86659FD93ULL;
    return product ^ product >> 32;
  }
};

struct NoSink {
  void fill(const Fill& /*fill*/) {}
  void removal(const Removal& /*removal*/) {}
};

inline Limits flow_limits() { return {.symbols = kFlowSymbols, .price_min = 8'192, .price_max = 12'287, .orders = 65'536}; }

// The server's engine, entered where the server enters it, with everything that it can do compiled in.
template <class Index, class Ids, SelfTrade kSelfTrade = SelfTrade::kOff>
class Contender {
 public:
  explicit Contender(u64 events) : market_(flow_limits(), events) {}

  void handle(const FlowRecord& record) {
    Order order;
    order.id = OrderId(Ids::of(record.id));
    order.account = Account(record.id & 63);
    order.symbol = Symbol(record.symbol);
    if (record.kind == FlowKind::kCancel) {
      order.kind = Kind::kCancel;
    } else {
      order.kind = Kind::kNew;
      order.price = Ticks(record.price);
      order.quantity = Lots(record.quantity);
      order.side = record.is_sell != 0 ? Side::kSell : Side::kBuy;
      order.self_trade = kSelfTrade;
    }
    market_.apply(order, sink_);
  }

  const Tape& tape() const { return market_.tape(); }

 private:
  Market<Index> market_;
  NoSink sink_;
};

template <class Places, class Ids>
class NaiveContender {
 public:
  explicit NaiveContender(u64 events) : market_(kFlowSymbols, events) {}

  void handle(const FlowRecord& record) {
    const u64 id = Ids::of(record.id);
    if (record.kind == FlowKind::kCancel) {
      market_.cancel(id);
    } else {
      market_.place(id, record.id & 63, record.symbol, record.is_sell != 0, record.price, record.quantity,
                    [](u64, i64, u32, bool) {});
    }
  }

  const Tape& tape() const { return market_.tape(); }

 private:
  NaiveMarket<Places> market_;
};

}  // namespace lab::engine::bench
