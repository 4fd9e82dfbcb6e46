// The reference flow: the trades that every correct engine makes of it.

#include "flow.hpp"

#include <gtest/gtest.h>

#include "contenders.hpp"

namespace lab::engine::bench {
namespace {

template <class Engine>
Tape tape_of(u64 events) {
  Engine engine(events);
  for (const FlowRecord& record : make_flow(events)) engine.handle(record);
  return engine.tape();
}

template <class Engine>
void expect_reference_trades() {
  const Tape small = tape_of<Engine>(1'000);
  EXPECT_EQ(small.last_trade_id, 235U);
  EXPECT_EQ(small.trade_hash, 0x29303e0faa04e8f8U);
  const Tape medium = tape_of<Engine>(100'000);
  EXPECT_EQ(medium.last_trade_id, 40'969U);
  EXPECT_EQ(medium.trade_hash, 0xd3e2d0f175ef4f9aU);
}

TEST(Flow, DenseIdsMakeTheReferenceTrades) { expect_reference_trades<Contender<DenseIds, OwnIds>>(); }
TEST(Flow, HashedIdsMakeTheReferenceTrades) { expect_reference_trades<Contender<HashIds, OwnIds>>(); }
TEST(Flow, TheNaiveEngineMakesTheReferenceTrades) { expect_reference_trades<NaiveContender<DensePlaces, OwnIds>>(); }

TEST(Flow, SpreadIdsMakeTheTradesOfTheNaiveEngine) {
  EXPECT_EQ((tape_of<Contender<HashIds, SpreadIds>>(100'000).trade_hash),
            (tape_of<NaiveContender<HashedPlaces, SpreadIds>>(100'000).trade_hash));
}

}  // namespace
}  // namespace lab::engine::bench
