// The reference flow as the server's commands. Its order ids are sequence numbers, so a cancel names the one that its
// order gets, which is known beforehand where the flow is all that an engine sees.
#pragma once

#include <vector>

#include "engine/command.hpp"
#include "engine/journal.hpp"

namespace lab::engine::bench {

std::vector<Command> flow_commands(u64 events);
JournalHeader flow_header();
// Of these commands, the first being number 1.
u64 trade_hash_of(const std::vector<Command>& commands);

}  // namespace lab::engine::bench
