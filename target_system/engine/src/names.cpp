#include "engine/names.hpp"

#include <array>

namespace lab::engine {
namespace {

template <std::size_t kSize, class Enum>
const char* look_up(const std::array<const char*, kSize>& names, Enum value) {
  const auto index = static_cast<std::size_t>(value);
  return index < kSize ? names[index] : "unknown";
}

constexpr std::array kKindNames{"unspecified", "new", "cancel", "replace", "mass_cancel", "halt", "resume",
                                "kill",        "lift"};
constexpr std::array kSideNames{"unspecified", "buy", "sell"};
constexpr std::array kOrderTypeNames{"unspecified", "limit", "market", "post_only_reject", "post_only_slide"};
constexpr std::array kTimeInForceNames{"gtc", "ioc", "fok"};
constexpr std::array kSelfTradeNames{"stp_off", "stp_cancel_newest", "stp_cancel_oldest", "stp_cancel_both",
                                     "stp_decrement"};
constexpr std::array kOutcomeNames{"unspecified", "resting", "filled",   "cancelled",
                                   "replaced",    "done",    "rejected", "not_sequenced"};
constexpr std::array kReasonNames{"none",
                                  "unknown_symbol",
                                  "price_out_of_range",
                                  "quantity_out_of_range",
                                  "order_limit_reached",
                                  "id_limit_reached",
                                  "no_such_order",
                                  "symbol_halted",
                                  "would_take",
                                  "not_fillable",
                                  "no_liquidity",
                                  "self_trade",
                                  "malformed",
                                  "queue_full",
                                  "shutting_down",
                                  "nothing_to_replace",
                                  "account_killed",
                                  "kill_limit_reached"};
static_assert(kReasonNames.size() == kReasons && kOutcomeNames.size() == kOutcomes && kKindNames.size() == kKinds);

}  // namespace

const char* name_of(Kind kind) { return look_up(kKindNames, kind); }
const char* name_of(Side side) { return look_up(kSideNames, side); }
const char* name_of(OrderType type) { return look_up(kOrderTypeNames, type); }
const char* name_of(TimeInForce time_in_force) { return look_up(kTimeInForceNames, time_in_force); }
const char* name_of(SelfTrade self_trade) { return look_up(kSelfTradeNames, self_trade); }
const char* name_of(Outcome outcome) { return look_up(kOutcomeNames, outcome); }
const char* name_of(Reason reason) { return look_up(kReasonNames, reason); }

}  // namespace lab::engine
