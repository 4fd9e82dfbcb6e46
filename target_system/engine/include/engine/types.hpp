// The words of the engine: prices in ticks, quantities in lots, ids, and what may be asked and answered.
//
// The numbers of the enums are those of proto/engine.proto (wire.cpp asserts it), so that nothing has to be translated.
#pragma once

#include <compare>
#include <cstdint>

namespace lab::engine {

using i32 = std::int32_t;
using i64 = std::int64_t;
using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;

// A number that cannot be mistaken for another kind of number.
template <class Tag, class Rep>
struct Strong {
  Rep value{};
  constexpr Strong() = default;
  constexpr explicit Strong(Rep number) : value(number) {}
  constexpr auto operator<=>(const Strong&) const = default;
};

using Ticks = Strong<struct TicksTag, i64>;
using Lots = Strong<struct LotsTag, u64>;
using OrderId = Strong<struct OrderIdTag, u64>;
using Account = Strong<struct AccountTag, u32>;
using Symbol = Strong<struct SymbolTag, u32>;
using Sequence = Strong<struct SequenceTag, u64>;

enum class Kind : u8 { kUnspecified, kNew, kCancel, kReplace, kMassCancel, kHalt, kResume, kKill, kLift };
enum class Side : u8 { kUnspecified, kBuy, kSell };
enum class OrderType : u8 { kUnspecified, kLimit, kMarket, kPostOnlyReject, kPostOnlySlide };
enum class TimeInForce : u8 { kGtc, kIoc, kFok };
enum class SelfTrade : u8 { kOff, kCancelNewest, kCancelOldest, kCancelBoth, kDecrement };

enum class Outcome : u8 {
  kUnspecified,
  kResting,
  kFilled,
  kCancelled,
  kReplaced,
  kDone,
  kRejected,
  kNotSequenced
};

enum class Reason : u8 {
  kNone,
  kUnknownSymbol,
  kPriceOutOfRange,
  kQuantityOutOfRange,
  kOrderLimitReached,
  kIdLimitReached,
  kNoSuchOrder,
  kSymbolHalted,
  kWouldTake,
  kNotFillable,
  kNoLiquidity,
  kSelfTrade,
  kMalformed,
  kQueueFull,
  kShuttingDown,
  kNothingToReplace,
  kAccountKilled,
  kKillLimitReached
};
inline constexpr int kReasons = 18;
inline constexpr int kOutcomes = 8;
inline constexpr int kKinds = 9;

// What the books are asked. `id` of a new order is the one it gets; of a cancel or replace the order meant.
struct Order {
  OrderId id;
  Ticks price;
  Lots quantity;
  Account account;
  Symbol symbol;
  Kind kind = Kind::kNew;
  Side side = Side::kUnspecified;
  OrderType type = OrderType::kLimit;
  TimeInForce time_in_force = TimeInForce::kGtc;
  SelfTrade self_trade = SelfTrade::kOff;
  bool has_symbol = false;  // mass cancel
};

// What they answer, beside the fills and removals that go to the caller's sink.
struct Verdict {
  Outcome outcome = Outcome::kUnspecified;
  Reason reason = Reason::kNone;
  Lots filled{};
  Lots resting{};
  Lots cancelled{};
  Ticks resting_price{};
};

struct Fill {
  u64 trade_id;
  OrderId maker;
  Account maker_account;
  Ticks price;  // the maker's
  Lots quantity;
};

// A resting order that left the book or shrank through another command than its own cancel.
struct Removal {
  OrderId id;
  Lots quantity;
};

struct RestingOrder {
  OrderId id;
  Account account;
  Symbol symbol;
  Side side;
  Ticks price;
  Lots quantity;
};

// Stated at start. Reaching one is a reported reject, never an abort.
struct Limits {
  u32 symbols = 1;
  i64 price_min = 1;
  i64 price_max = 200'000;
  u32 orders = 1'000'000;
  bool operator==(const Limits&) const = default;
};

inline constexpr u64 kMaxQuantity = 0xFFFF'FFFF;
inline constexpr u32 kMaxKilled = 4096;  // accounts at once
inline constexpr i64 kMaxPriceRange = 1 << 24;

}  // namespace lab::engine
