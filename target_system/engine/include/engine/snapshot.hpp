// The books as of one record of the journal, so that recovery need not match everything again.
//
// Written at a clean stop; what came after is matched again, some millions of commands a second.
//
// An accelerator and nothing more: the journal stays whole and alone is the truth; engine-replay never looks here. A
// snapshot that is damaged, of another version or of another journal is ignored, and said to be.
//
// DIR/snapshot: 8 bytes magic, u32 version, u32 crc32c of the rest; then where it stands, the tape, each symbol, each
// resting order in priority order, each killed account. Little-endian.
#pragma once

#include <string>
#include <vector>

#include "engine/buffer.hpp"
#include "engine/state.hpp"

namespace lab::engine {

struct Snapshot {
  struct SymbolState {
    i64 last_trade_price = 0;
    u64 halted = 0;
  };

  u64 sequence = 0;
  u64 journal_bytes = 0;  // up to the end of that record
  Tape tape;
  std::vector<SymbolState> symbols;
  std::vector<RestingOrder> orders;
  std::vector<u32> killed;  // accounts, sorted
};

Snapshot take_snapshot(const State& state, u64 journal_bytes);
void restore_snapshot(const Snapshot& snapshot, State& state);

std::string snapshot_path(const std::string& directory);
// The whole file under its name, or, whatever happens, the one before it.
void write_snapshot(const std::string& directory, const Snapshot& snapshot);

enum class SnapshotRead : u8 { kNone, kRead, kUnusable };
// kUnusable: there is one, but not for books of these limits, or it is damaged.
SnapshotRead read_snapshot(const std::string& directory, const Limits& limits, Snapshot& snapshot);

}  // namespace lab::engine
