// How fast a journal is read back and matched again.
#pragma once

#include <vector>

#include "flow.hpp"

namespace lab::engine::bench {

// Writes the flow as a journal into a temporary directory and replays it as engine-replay does; median of five.
double replay_events_per_s(const std::vector<FlowRecord>& flow);

}  // namespace lab::engine::bench
