#include "flow.hpp"

#include <array>

#include "naive.hpp"

namespace lab::engine::bench {
namespace {

class SplitMix64 {
 public:
  u64 below(u64 n) { return (next() >> 32) * n >> 32; }

 private:
  u64 next() {
    state_ += 0x9E3779B97F4A7C15ULL;
    u64 z = state_;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ z >> 27) * 0x94D049BB133111EBULL;
    return z ^ z >> 31;
  }

  u64 state_ = 20240607;
};

// Resting order ids; a removal moves the last one into the hole.
class LiveIds {
 public:
  explicit LiveIds(u64 ids_max) : place_of_(ids_max + 1) {}

  bool empty() const { return ids_.empty(); }
  u64 size() const { return ids_.size(); }
  u32 at(u64 place) const { return ids_[place]; }
  void add(u32 id) {
    place_of_[id] = static_cast<u32>(ids_.size());
    ids_.push_back(id);
  }
  void remove(u64 id) {
    const u32 hole = place_of_[id];
    ids_[hole] = ids_.back();
    place_of_[ids_[hole]] = hole;
    ids_.pop_back();
  }

 private:
  std::vector<u32> ids_;
  std::vector<u32> place_of_;
};

class Generator {
 public:
  explicit Generator(u64 events) : live_(events), market_(kFlowSymbols, events) { mid_.fill(10'000); }

  FlowRecord next() {
    const u64 symbol = random_.below(kFlowSymbols);
    const u64 walk = random_.below(8);
    if (walk == 0 && mid_[symbol] > 8'500) --mid_[symbol];
    else if (walk == 1 && mid_[symbol] < 11'500) ++mid_[symbol];
    u64 draw = random_.below(100);
    const bool wants_cancel = draw >= 60 && draw < 85;
    if (wants_cancel && live_.empty()) draw = 0;
    if (wants_cancel && draw != 0) return cancel();
    return place(static_cast<u16>(symbol), draw < 60);
  }

 private:
  FlowRecord cancel() {
    const u32 id = live_.at(random_.below(live_.size()));
    const NaivePlace& place = *market_.find(id);
    const FlowRecord record{id, 0, static_cast<i32>(place.price), static_cast<u16>(place.symbol), FlowKind::kCancel,
                            place.is_sell ? u8{1} : u8{0}};
    live_.remove(id);
    market_.cancel(id);
    return record;
  }

  FlowRecord place(u16 symbol, bool passive) {
    const u32 id = ++last_id_;
    const bool is_sell = random_.below(2) == 1;
    const i32 distance = passive ? -1 - static_cast<i32>(random_.below(20)) : 20;
    const i32 price = mid_[symbol] + (is_sell ? -distance : distance);
    const u32 quantity = 1 + static_cast<u32>(random_.below(100));
    market_.place(id, 0, symbol, is_sell, price, quantity, [this](u64 maker, i64, u32, bool filled) {
      if (filled) live_.remove(maker);
    });
    if (market_.find(id) != nullptr) live_.add(id);
    return {id, quantity, price, symbol, passive ? FlowKind::kAdd : FlowKind::kTake, is_sell ? u8{1} : u8{0}};
  }

  SplitMix64 random_;
  std::array<i32, kFlowSymbols> mid_{};
  LiveIds live_;
  NaiveMarket<DensePlaces> market_;
  u32 last_id_ = 0;
};

}  // namespace

std::vector<FlowRecord> make_flow(u64 events) {
  Generator generator(events);
  std::vector<FlowRecord> flow;
  flow.reserve(events);
  for (u64 i = 0; i < events; ++i) flow.push_back(generator.next());
  return flow;
}

}  // namespace lab::engine::bench
