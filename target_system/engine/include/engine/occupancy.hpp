// Which price levels hold orders: a tree of 64-bit words, so that the next best level is found by counting zeros.
//
// Levels are numbered so that the higher is the better (market.hpp mirrors the asks), hence the only question is "the
// highest at or below". Setting and clearing touch one word unless that word changes between empty and not.
#pragma once

#include <array>
#include <bit>

#include "engine/memory.hpp"
#include "engine/types.hpp"

namespace lab::engine {

class Occupancy {
 public:
  static constexpr std::size_t kTiers = 4;  // 64^4 levels = kMaxPriceRange

  Occupancy() = default;
  explicit Occupancy(u32 levels) {
    for (auto& tier : tiers_) {
      levels = (levels + 63) / 64;
      tier = PageArray<u64>(levels);
    }
  }

  bool test(u32 level) const { return tiers_[0][level >> 6] >> (level & 63) & 1; }

  void set(u32 level) {
    for (auto& tier : tiers_) {
      u64& word = tier[level >> 6];
      const bool was_empty = word == 0;
      word |= u64{1} << (level & 63);
      if (!was_empty) return;
      level >>= 6;
    }
  }

  void clear(u32 level) {
    for (auto& tier : tiers_) {
      u64& word = tier[level >> 6];
      word &= ~(u64{1} << (level & 63));
      if (word != 0) return;
      level >>= 6;
    }
  }

  // The highest occupied level at or below `level`; -1 if there is none.
  i32 highest_from(u32 level) const {
    const u64 word = tiers_[0][level >> 6] & (~u64{0} >> (63 - (level & 63)));
    if (word != 0) [[likely]] return static_cast<i32>((level & ~63U) | top_bit(word));
    return climb(level);
  }

 private:
  static u32 top_bit(u64 word) { return 63U - static_cast<u32>(std::countl_zero(word)); }

  i32 climb(u32 level) const {
    for (std::size_t tier = 1; tier < kTiers; ++tier) {
      level >>= 6;
      const u64 word = tiers_[tier][level >> 6] & ((u64{1} << (level & 63)) - 1);
      if (word == 0) continue;
      level = (level & ~63U) | top_bit(word);
      while (tier-- > 0) level = level << 6 | top_bit(tiers_[tier][level]);
      return static_cast<i32>(level);
    }
    return -1;
  }

  std::array<PageArray<u64>, kTiers> tiers_;
};

}  // namespace lab::engine
