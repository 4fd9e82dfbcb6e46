// The command line of `engine`, parsed and judged as a whole.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "engine/journal.hpp"

namespace lab::engine {

struct Options {
  std::string listen;
  std::string metrics;
  std::string journal;
  JournalHeader header;
  u64 ids_max = 8'000'000;
  u64 queue = 65'536;
  u64 subscriber_bytes = 16'777'216;
};

// Fills `options`; every fault in one list, each naming flag, value and what to do.
std::vector<std::string> parse_options(std::span<char* const> arguments, Options& options);

extern const char* const kUsage;

}  // namespace lab::engine
