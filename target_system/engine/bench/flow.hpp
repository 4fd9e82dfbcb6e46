// The reference order flow, defined to the bit so that any engine can be measured on the same work: eight symbols around
// random-walking prices, 60 % passive limit orders, 25 % cancels, 15 % marketable ones.
#pragma once

#include <vector>

#include "engine/types.hpp"

namespace lab::engine::bench {

enum class FlowKind : u8 { kAdd, kCancel, kTake };

struct FlowRecord {
  u32 id;
  u32 quantity;
  i32 price;
  u16 symbol;
  FlowKind kind;
  u8 is_sell;
};
static_assert(sizeof(FlowRecord) == 16);

inline constexpr u32 kFlowSymbols = 8;

std::vector<FlowRecord> make_flow(u64 events);

}  // namespace lab::engine::bench
