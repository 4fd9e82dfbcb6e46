// How fast a journal is read back and matched again.
#pragma once

#include "engine/types.hpp"

namespace lab::engine::bench {

// Writes so much of the reference flow as a journal into a temporary directory and replays it as engine-replay
// does; median of five.
double replay_events_per_s(u64 events);

}  // namespace lab::engine::bench
