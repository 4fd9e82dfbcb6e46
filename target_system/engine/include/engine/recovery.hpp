// From a journal directory to the state that the engine had when it last wrote there.
#pragma once

#include <string>

#include "engine/journal.hpp"
#include "engine/state.hpp"

namespace lab::engine {

// The flags do not fit the journal; what() says which.
struct MismatchError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Recovery {
  u64 commands = 0;
  u64 snapshot = 0;  // those up to here were not matched again: the books came from the snapshot
  bool snapshot_ignored = false;
  u64 torn_bytes = 0;
  u64 missing_bytes = 0;
  u64 end = 0;  // of the whole records
};

// Reads all whole records into `state`, matching those that no snapshot covers. Throws JournalError where the journal is damaged, MismatchError where it was
// written under other limits or holds more commands than `state` has room for.
Recovery recover(const std::string& directory, const JournalHeader& expected, State& state);

}  // namespace lab::engine
