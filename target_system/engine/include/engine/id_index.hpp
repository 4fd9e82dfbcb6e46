// From an order's id to its node. Two ways with one interface, a template argument of Market.
//
// DenseIds: ids count up from 1 to a known end (the server's are sequence numbers): an array. Entries of orders that are
// gone stay behind and are told by the id in the node.
// HashIds: arbitrary 64-bit ids: Fibonacci hashing into buckets, chained through the nodes themselves, so a lookup that
// hits the first of its bucket costs what the array costs.
#pragma once

#include <algorithm>
#include <bit>

#include "engine/slab.hpp"

namespace lab::engine {

class DenseIds {
 public:
  DenseIds(u64 last_id, u32 /*orders*/) : refs_(last_id + 1, Touch::kNow) {}

  void prefetch(u64 id) const { __builtin_prefetch(refs_.data() + std::min<u64>(id, refs_.size() - 1)); }
  void insert(u64 id, Ref ref, Slab& /*slab*/) { refs_[id] = ref; }
  void erase(u64 /*id*/, Ref /*ref*/, Slab& /*slab*/) {}

  Ref find(u64 id, const Slab& slab) const {
    if (id == 0 || id >= refs_.size()) [[unlikely]] return 0;
    const Ref ref = refs_[id];
    return slab.node(ref).id == id ? ref : 0;
  }

 private:
  PageArray<Ref> refs_;
};

class HashIds {
 public:
  HashIds(u64 /*last_id*/, u32 orders)
      : buckets_(std::bit_ceil(u64{orders} * 2), Touch::kNow), shift_(64 - std::countr_zero(buckets_.size())) {}

  void prefetch(u64 id) const { __builtin_prefetch(buckets_.data() + hash(id)); }

  void insert(u64 id, Ref ref, Slab& slab) {
    Ref& bucket = bucket_of(id);
    slab.node(ref).chain = bucket;
    bucket = ref;
  }

  void erase(u64 id, Ref ref, Slab& slab) {
    Ref* link = &bucket_of(id);
    while (*link != ref) link = &slab.node(*link).chain;
    *link = slab.node(ref).chain;
  }

  Ref find(u64 id, const Slab& slab) const {
    Ref ref = buckets_[hash(id)];
    while (ref != 0 && slab.node(ref).id != id) ref = slab.node(ref).chain;
    return ref;
  }

 private:
  u64 hash(u64 id) const { return id * 0x9E3779B97F4A7C15ULL >> shift_; }
  Ref& bucket_of(u64 id) { return buckets_[hash(id)]; }

  PageArray<Ref> buckets_;
  int shift_;
};

}  // namespace lab::engine
