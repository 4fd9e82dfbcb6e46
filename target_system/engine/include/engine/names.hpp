// The enums' names as labels and log fields have them: engine.proto's, in lower case.
#pragma once

#include "engine/types.hpp"

namespace lab::engine {

const char* name_of(Kind kind);
const char* name_of(Side side);
const char* name_of(OrderType type);
const char* name_of(TimeInForce time_in_force);
const char* name_of(SelfTrade self_trade);
const char* name_of(Outcome outcome);
const char* name_of(Reason reason);

}  // namespace lab::engine
