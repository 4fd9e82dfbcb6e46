// Every price level and every resting order of all books in one block of memory, linked by 32-bit references.
//
// The unit of the block is a Link (8 bytes). A level is one Link, the sentinel of the ring of its orders; an order is a
// Node of four units whose first is its Link. So taking an order out of its ring never asks whether a neighbour is a
// level or an order, and never branches on "first" or "last".
#pragma once

#include <bit>

#include "engine/memory.hpp"
#include "engine/types.hpp"

namespace lab::engine {

using Ref = u32;  // index of a unit; 0 is no order

struct Link {
  Ref next;
  Ref prev;
};

struct Node {
  Link link;
  u64 id;        // 0 when free
  u32 quantity;
  Ref level;     // the sentinel of its ring: tells symbol, side and price
  u32 account;
  Ref chain;     // next order in the same bucket of HashIds
};
static_assert(sizeof(Node) == 32);

class Slab {
 public:
  Slab(u32 sides, u32 levels_per_side, u32 orders)
      : side_shift_(static_cast<u32>(std::bit_width(levels_per_side - 1))),
        first_order_(kUnits + (sides << side_shift_)),
        unused_(first_order_),
        end_(first_order_ + orders * kUnits),
        units_(end_, Touch::kNow) {}

  static u64 units_needed(u64 sides, u64 levels_per_side, u64 orders) {
    return kUnits + sides * std::bit_ceil(levels_per_side) + orders * kUnits;
  }

  Link& link(Ref ref) { return units_[ref]; }
  const Link& link(Ref ref) const { return units_[ref]; }
  Node& node(Ref ref) { return *reinterpret_cast<Node*>(&units_[ref]); }
  const Node& node(Ref ref) const { return *reinterpret_cast<const Node*>(&units_[ref]); }

  Ref first_level(u32 side) const { return kUnits + (side << side_shift_); }
  u32 side_of(Ref level) const { return (level - kUnits) >> side_shift_; }
  u32 index_of(Ref level) const { return (level - kUnits) & ((1U << side_shift_) - 1); }

  // A free node, or 0 when the limit is reached. The last one given back is taken first: it is still in the cache.
  Ref take() {
    if (const Ref ref = free_; ref != 0) [[likely]] {
      free_ = link(ref).next;
      ++live_;
      return ref;
    }
    if (unused_ == end_) return 0;
    const Ref ref = unused_;
    unused_ += kUnits;
    ++live_;
    return ref;
  }

  void give_back(Ref ref) {
    node(ref).id = 0;
    link(ref).next = free_;
    free_ = ref;
    --live_;
  }

  u32 live() const { return live_; }

 private:
  static constexpr u32 kUnits = sizeof(Node) / sizeof(Link);  // the first node's place stays empty: reference 0 is none

  u32 side_shift_;
  Ref first_order_;
  Ref unused_;
  Ref end_;
  Ref free_ = 0;
  u32 live_ = 0;
  PageArray<Link> units_;
};

}  // namespace lab::engine
