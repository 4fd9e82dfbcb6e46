#include "engine/occupancy.hpp"

#include <gtest/gtest.h>

#include <iterator>
#include <random>
#include <set>

namespace lab::engine {
namespace {

TEST(Occupancy, AgreesWithASetOfLevelsAtEverySizeOfTree) {
  for (const u32 levels : {1U, 63U, 64U, 65U, 4'096U, 4'097U, 300'000U, u32{kMaxPriceRange}}) {
    Occupancy occupancy(levels);
    std::set<u32> expected;
    std::mt19937 generator(levels);
    const auto random = [&] { return static_cast<u32>(generator()); };
    for (int i = 0; i < 3'000; ++i) {
      const u32 level = random() % 3 == 0 ? std::min(levels - 1, random() % 200) : random() % levels;
      if (expected.contains(level)) {
        expected.erase(level);
        occupancy.clear(level);
      } else {
        expected.insert(level);
        occupancy.set(level);
      }
      const u32 from = random() % levels;
      const auto above = expected.upper_bound(from);
      ASSERT_EQ(occupancy.highest_from(from), above == expected.begin() ? -1 : static_cast<i32>(*std::prev(above)));
      ASSERT_EQ(occupancy.test(level), expected.contains(level));
    }
  }
}

}  // namespace
}  // namespace lab::engine
