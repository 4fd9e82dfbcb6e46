// The rules of trading, one sentence of behaviour each, on both ways of finding an order by its id.

#include "desk.hpp"

namespace lab::engine {
namespace {

template <class Index>
class MarketTest : public Desk<Index> {};
using Indices = ::testing::Types<DenseIds, HashIds>;
TYPED_TEST_SUITE(MarketTest, Indices);

constexpr Terms with(SelfTrade self_trade) { return {.self_trade = self_trade}; }
constexpr Terms with(TimeInForce time_in_force) { return {.time_in_force = time_in_force}; }
constexpr Terms with(OrderType type) { return {.type = type}; }
constexpr Terms of(u32 account) { return {.account = account}; }

TYPED_TEST(MarketTest, AnOrderTradesWithTheOppositeSideAtTheMakersPrice) {
  this->sell(100, 4);
  this->buy(105, 10);
  this->expect_trade(100, 4);
  this->expect(Outcome::kResting);
  EXPECT_EQ(this->verdict.resting.value, 6U);
  this->expect_touch(105, this->kNone);
  this->sell(101, 6);
  this->expect_trade(105, 6);  // not at the aggressor's 101
  this->expect(Outcome::kFilled);
}

TYPED_TEST(MarketTest, TheBestPriceGoesFirstAndTheOldestAtIt) {
  const OrderId second = this->buy(99, 5), first = this->buy(100, 5), third = this->buy(99, 5);
  this->sell(99, 15);
  this->expect_trade_with(first, 100, 5);
  this->expect_trade_with(second, 99, 5);
  this->expect_trade_with(third, 99, 5);
  EXPECT_TRUE(this->resting().empty());
}

TYPED_TEST(MarketTest, APartlyFilledMakerKeepsItsPlace) {
  const OrderId first = this->buy(100, 10);
  this->buy(100, 10);
  this->sell(100, 4);
  this->sell(100, 4);
  this->expect_trade_with(first, 100, 4);
  this->expect_trade_with(first, 100, 4);
}

TYPED_TEST(MarketTest, PricesThatDoNotMeetDoNotTrade) {
  this->buy(100, 5);
  this->sell(101, 5);
  this->expect_no_trade();
  this->expect_touch(100, 101);
}

TYPED_TEST(MarketTest, SymbolsDoNotMeet) {
  this->buy(100, 5);
  this->sell(100, 5, {.symbol = 1});
  this->expect_no_trade();
}

TYPED_TEST(MarketTest, TheRemainderOfAnImmediateOrCancelOrderDoesNotRest) {
  this->sell(100, 4);
  this->buy(100, 10, with(TimeInForce::kIoc));
  this->expect_trade(100, 4);
  this->expect(Outcome::kCancelled, Reason::kNoLiquidity);
  EXPECT_EQ(this->verdict.cancelled.value, 6U);
  this->expect_touch(this->kNone, this->kNone);
}

TYPED_TEST(MarketTest, AMarketOrderTakesAnyPriceAndDoesNotRest) {
  this->sell(100, 4);
  this->sell(1'000, 4);
  this->buy(0, 10, with(OrderType::kMarket));
  this->expect_trade(100, 4);
  this->expect_trade(1'000, 4);
  this->expect(Outcome::kCancelled, Reason::kNoLiquidity);
  this->expect_touch(this->kNone, this->kNone);
}

TYPED_TEST(MarketTest, FillOrKillTradesWholeOrNotAtAll) {
  this->sell(100, 4);
  this->sell(101, 4);
  this->buy(100, 5, with(TimeInForce::kFok));
  this->expect(Outcome::kRejected, Reason::kNotFillable);
  this->expect_no_trade();
  this->buy(101, 5, with(TimeInForce::kFok));
  this->expect(Outcome::kFilled);
  this->expect_trade(100, 4);
  this->expect_trade(101, 1);
}

TYPED_TEST(MarketTest, FillOrKillDoesNotCountItsOwnOrders) {
  this->sell(100, 5);
  this->sell(100, 5, of(2));
  this->buy(100, 6, {.time_in_force = TimeInForce::kFok, .self_trade = SelfTrade::kCancelOldest});
  this->expect(Outcome::kRejected, Reason::kNotFillable);
  EXPECT_EQ(this->resting().size(), 2U);
  this->buy(100, 5, {.time_in_force = TimeInForce::kFok, .self_trade = SelfTrade::kCancelOldest});
  this->expect(Outcome::kFilled);
}

TYPED_TEST(MarketTest, PostOnlyIsRefusedWhereItWouldTake) {
  this->sell(100, 4);
  this->buy(100, 4, with(OrderType::kPostOnlyReject));
  this->expect(Outcome::kRejected, Reason::kWouldTake);
  this->buy(99, 4, with(OrderType::kPostOnlyReject));
  this->expect(Outcome::kResting);
}

TYPED_TEST(MarketTest, PostOnlySlidesOneTickBehindTheTouch) {
  this->sell(100, 4);
  this->buy(300, 4, with(OrderType::kPostOnlySlide));
  this->expect(Outcome::kResting);
  EXPECT_EQ(this->verdict.resting_price.value, 99);
  this->sell(50, 4, with(OrderType::kPostOnlySlide));
  EXPECT_EQ(this->verdict.resting_price.value, 100);
  this->expect_no_trade();
}

TYPED_TEST(MarketTest, PostOnlyIsRefusedWhereNoPriceIsLeftToSlideTo) {
  this->sell(1, 4);
  this->buy(5, 4, with(OrderType::kPostOnlySlide));
  this->expect(Outcome::kRejected, Reason::kWouldTake);
}

TYPED_TEST(MarketTest, CancelNewestEndsTheTakerAtItsOwnOrder) {
  this->sell(100, 2, of(2));
  this->sell(100, 5);
  this->buy(100, 10, with(SelfTrade::kCancelNewest));
  this->expect_trade(100, 2);
  this->expect(Outcome::kCancelled, Reason::kSelfTrade);
  EXPECT_EQ(this->verdict.cancelled.value, 8U);
  EXPECT_EQ(this->resting().size(), 1U);
}

TYPED_TEST(MarketTest, CancelOldestRemovesItsOwnOrderAndGoesOn) {
  const OrderId own = this->sell(100, 5);
  this->sell(100, 2, of(2));
  this->buy(100, 10, with(SelfTrade::kCancelOldest));
  this->expect_removed(own, 5);
  this->expect_trade(100, 2);
  this->expect(Outcome::kResting);
  this->expect_touch(100, this->kNone);
}

TYPED_TEST(MarketTest, CancelBothEndsBoth) {
  const OrderId own = this->sell(100, 5);
  this->sell(100, 2, of(2));
  this->buy(100, 10, with(SelfTrade::kCancelBoth));
  this->expect_removed(own, 5);
  this->expect(Outcome::kCancelled, Reason::kSelfTrade);
  this->expect_no_trade();
  EXPECT_EQ(this->resting().size(), 1U);
}

TYPED_TEST(MarketTest, DecrementTakesTheSmallerQuantityOffBoth) {
  const OrderId own = this->sell(100, 5);
  this->buy(100, 3, with(SelfTrade::kDecrement));
  this->expect_removed(own, 3);
  this->expect(Outcome::kCancelled, Reason::kSelfTrade);
  this->buy(100, 6, with(SelfTrade::kDecrement));
  this->expect_removed(own, 2);
  this->expect(Outcome::kResting, Reason::kSelfTrade);
  EXPECT_EQ(this->verdict.resting.value, 4U);
  this->expect_touch(100, this->kNone);
}

TYPED_TEST(MarketTest, ACancelWorksOnceAndOnlyForItsAccount) {
  const OrderId id = this->buy(100, 5);
  this->cancel(id, 2);
  this->expect(Outcome::kRejected, Reason::kNoSuchOrder);
  this->cancel(id);
  this->expect(Outcome::kCancelled);
  EXPECT_EQ(this->verdict.cancelled.value, 5U);
  this->cancel(id);
  this->expect(Outcome::kRejected, Reason::kNoSuchOrder);
  this->cancel(OrderId(0));
  this->expect(Outcome::kRejected, Reason::kNoSuchOrder);
  this->cancel(OrderId(~u64{0}));
  this->expect(Outcome::kRejected, Reason::kNoSuchOrder);
}

TYPED_TEST(MarketTest, AnIdDoesNotFindTheOrderThatTookOverItsPlaceInMemory) {
  const OrderId gone = this->buy(100, 5);
  this->cancel(gone);
  this->buy(100, 7);
  this->cancel(gone);
  this->expect(Outcome::kRejected, Reason::kNoSuchOrder);
  EXPECT_EQ(this->resting().size(), 1U);
}

TYPED_TEST(MarketTest, ASmallerQuantityKeepsThePlaceAndMoreLosesIt) {
  const OrderId first = this->buy(100, 10), second = this->buy(100, 10);
  this->replace(first, 100, 5);
  this->expect(Outcome::kReplaced);
  EXPECT_EQ(this->resting(), (std::vector<u64>{first.value, second.value}));
  this->replace(first, 100, 6);
  EXPECT_EQ(this->resting(), (std::vector<u64>{second.value, first.value}));
  this->replace(first, 100, 6);
  this->expect(Outcome::kRejected, Reason::kNothingToReplace);
}

TYPED_TEST(MarketTest, AReplacedOrderIsFoundUnderItsIdAndItsOldPriceIsEmpty) {
  const OrderId id = this->buy(100, 10);
  this->replace(id, 90, 10);
  this->expect_touch(90, this->kNone);
  this->sell(100, 1);
  this->expect_no_trade();
  this->cancel(id);
  this->expect(Outcome::kCancelled);
}

TYPED_TEST(MarketTest, AReplaceThatCrossesTakes) {
  const OrderId ask = this->sell(100, 4), bid = this->buy(90, 10);
  this->replace(bid, 100, 6);
  this->expect_trade_with(ask, 100, 4);
  this->expect(Outcome::kReplaced);
  EXPECT_EQ(this->verdict.resting.value, 2U);
  this->sell(100, 2);
  this->expect_trade_with(bid, 100, 2);
}

TYPED_TEST(MarketTest, ARefusedReplaceLeavesTheOrderAsItWas) {
  this->sell(100, 4);
  const OrderId bid = this->buy(90, 10);
  this->replace(bid, 100, 10, with(OrderType::kPostOnlyReject));
  this->expect(Outcome::kRejected, Reason::kWouldTake);
  this->replace(bid, 5'000, 10);
  this->expect(Outcome::kRejected, Reason::kPriceOutOfRange);
  this->replace(bid, 90, 0);
  this->expect(Outcome::kRejected, Reason::kQuantityOutOfRange);
  this->sell(90, 10);
  this->expect_trade_with(bid, 90, 10);
}

TYPED_TEST(MarketTest, AMassCancelTakesOneAccountsOrdersInPriorityOrder) {
  const OrderId low = this->buy(98, 1), high = this->buy(99, 2), ask = this->sell(101, 3);
  const OrderId other = this->buy(98, 4, of(2)), elsewhere = this->sell(50, 5, {.symbol = 1});
  this->mass_cancel(1);
  this->expect(Outcome::kDone);
  EXPECT_EQ(this->verdict.cancelled.value, 11U);
  this->expect_removed(high, 2);
  this->expect_removed(low, 1);
  this->expect_removed(ask, 3);
  this->expect_removed(elsewhere, 5);
  EXPECT_EQ(this->resting(), std::vector<u64>{other.value});
  this->expect_touch(98, this->kNone);
}

TYPED_TEST(MarketTest, AHaltedSymbolTakesNoOrdersButCancels) {
  const OrderId id = this->buy(100, 5);
  this->halt(0);
  this->sell(100, 5);
  this->expect(Outcome::kRejected, Reason::kSymbolHalted);
  this->replace(id, 101, 5);
  this->expect(Outcome::kRejected, Reason::kSymbolHalted);
  this->sell(100, 5, {.symbol = 1});
  this->expect(Outcome::kResting);
  this->cancel(id);
  this->expect(Outcome::kCancelled);
  this->resume(0);
  this->buy(100, 5);
  this->expect(Outcome::kResting);
}

TYPED_TEST(MarketTest, AKilledAccountLosesItsOrdersAndPlacesNoneUntilLifted) {
  const OrderId mine = this->buy(100, 5, of(7));
  const OrderId other = this->buy(99, 5, of(8));
  this->kill(7);
  this->expect(Outcome::kDone);
  this->expect_removed(mine, 5);
  this->buy(100, 5, of(7));
  this->expect(Outcome::kRejected, Reason::kAccountKilled);
  this->cancel(other, 8);
  this->expect(Outcome::kCancelled);
  this->lift(7);
  this->buy(100, 5, of(7));
  this->expect(Outcome::kResting);
}

TYPED_TEST(MarketTest, AReplaceThatNamesAnotherSideOrSymbolMeansNoOrder) {
  const OrderId id = this->buy(100, 5);
  this->replace(id, 101, 5, {}, Side::kSell);
  this->expect(Outcome::kRejected, Reason::kNoSuchOrder);
  this->replace(id, 101, 5, {.symbol = 1}, Side::kBuy);
  this->expect(Outcome::kRejected, Reason::kNoSuchOrder);
  this->replace(id, 101, 5, {}, Side::kBuy);
  this->expect(Outcome::kReplaced);
}

TYPED_TEST(MarketTest, TheBestPriceIsRightAfterTheLastOrderOfALevelGoes) {
  const auto levels = [this] {
    this->SetUp();
    this->buy(37, 5, of(2));  // far enough to be in another word of the bitmap
    return this->buy(900, 5);
  };
  OrderId id = levels();
  this->cancel(id);
  this->expect_touch(37, this->kNone);
  id = levels();
  this->sell(900, 5);
  this->expect_touch(37, this->kNone);
  id = levels();
  this->replace(id, 20, 5);
  this->expect_touch(37, this->kNone);
  levels();
  this->sell(900, 5, {.time_in_force = TimeInForce::kIoc, .self_trade = SelfTrade::kCancelOldest});
  this->expect_touch(37, this->kNone);
  levels();
  this->mass_cancel(1);
  this->expect_touch(37, this->kNone);
}

TYPED_TEST(MarketTest, APriceOutsideTheRangeIsRefused) {
  for (const i64 price : {i64{0}, i64{-1}, i64{1'001}, INT64_MAX, INT64_MIN}) {
    this->buy(price, 5);
    this->expect(Outcome::kRejected, Reason::kPriceOutOfRange);
  }
  this->buy(1, 5);
  this->expect(Outcome::kResting);
  this->sell(1'000, 5);
  this->expect(Outcome::kResting);
}

TYPED_TEST(MarketTest, AQuantityOutsideTheRangeIsRefused) {
  for (const u64 quantity : {u64{0}, kMaxQuantity + 1, ~u64{0}}) {
    this->buy(100, quantity);
    this->expect(Outcome::kRejected, Reason::kQuantityOutOfRange);
  }
  this->buy(100, kMaxQuantity);
  this->expect(Outcome::kResting);
}

TYPED_TEST(MarketTest, AnUnknownSymbolIsRefused) {
  this->buy(100, 5, {.symbol = 2});
  this->expect(Outcome::kRejected, Reason::kUnknownSymbol);
}

TYPED_TEST(MarketTest, AtTheOrderLimitWhatWouldRestIsRefusedAndTheRestTrades) {
  this->open({.symbols = 1, .price_min = 1, .price_max = 100, .orders = 2});
  this->sell(50, 5);
  this->sell(51, 5);
  this->buy(40, 1);
  this->expect(Outcome::kRejected, Reason::kOrderLimitReached);
  this->buy(50, 3);
  this->expect(Outcome::kFilled);
  this->buy(50, 5);  // takes the maker's place
  this->expect(Outcome::kResting);
}

TYPED_TEST(MarketTest, ABookFilledAndEmptiedManyTimesStaysWhole) {
  this->open({.symbols = 1, .price_min = 1, .price_max = 5'000, .orders = 64});
  for (int round = 0; round < 50; ++round) {
    std::vector<OrderId> ids;
    for (int i = 0; i < 64; ++i) ids.push_back(this->buy(1 + (round * 977 + i * 71) % 5'000, 1));
    for (const OrderId id : ids) this->cancel(id);
    this->expect_touch(this->kNone, this->kNone);
  }
  EXPECT_EQ(this->market->resting_orders(), 0U);
}

}  // namespace
}  // namespace lab::engine
