#include "engine/recovery.hpp"

#include "engine/snapshot.hpp"

namespace lab::engine {
namespace {

std::string joined(const std::vector<std::string>& symbols) {
  std::string text;
  for (const std::string& symbol : symbols) text += (text.empty() ? "" : ",") + symbol;
  return text;
}

std::string flags_of(const JournalHeader& header) {
  return "--symbols " + joined(header.symbols) + " --price-min " + std::to_string(header.limits.price_min) +
         " --price-max " + std::to_string(header.limits.price_max) + " --max-orders " +
         std::to_string(header.limits.orders);
}

class Replayer {
 public:
  Replayer(const std::string& directory, State& state) : reader_(directory), path_(journal_path(directory)), state_(state) {}

  const JournalReader& reader() const { return reader_; }

  // Takes in the records up to `sequence` without matching them. True if the journal has so many and they end at `offset`.
  bool skip_to(u64 sequence, u64 offset) {
    while (state_.last.value < sequence && next()) {
      Sequence stored;
      Command command;
      if (!decode_stored_command(payload_, stored, command)) fail("is no sequenced command");
      if (stored.value != state_.last.value + 1) fail("has sequence number " + std::to_string(stored.value));
      accept(command);
    }
    return state_.last.value == sequence && reader_.offset() == offset;
  }

  void start_over() {
    reader_.rewind();
    state_.last = Sequence(0);
  }

  void match_all() {
    Buffer scratch;
    Replayed replayed;
    while (next()) {
      replay_record(payload_, Sequence(state_.last.value + 1), state_.matcher, scratch, replayed);
      if (!replayed.problem.empty()) fail(replayed.problem);
      accept(replayed.command);
    }
  }

 private:
  bool next() {
    at_ = reader_.offset();
    return reader_.next(payload_);
  }

  void accept(const Command& command) {
    const Sequence sequence(state_.last.value + 1);
    if (sequence.value > state_.identities.capacity()) {
      throw MismatchError(path_ + ": holds more commands than --max-ids " +
                          std::to_string(state_.identities.capacity()) + " allows; raise it");
    }
    u32* const place = state_.identities.find(digest_of(state_.key, command));
    if (place == nullptr || (*place != 0 && *place != sequence.value)) fail("repeats the identity of an earlier record");
    if (*place == 0) state_.identities.claim(place, sequence);
    state_.offsets[sequence.value] = at_ + kRecordHeadBytes;
    state_.last = sequence;
  }

  [[noreturn]] void fail(const std::string& problem) const {
    throw JournalError(path_ + ": byte " + std::to_string(at_) + ": record " + std::to_string(state_.last.value + 1) +
                       " " + problem);
  }

  JournalReader reader_;
  std::string path_;
  State& state_;
  Bytes payload_;
  u64 at_ = 0;
};

}  // namespace

Recovery recover(const std::string& directory, const JournalHeader& expected, State& state) {
  Replayer replayer(directory, state);
  const JournalReader& reader = replayer.reader();
  if (reader.header() != expected) {
    throw MismatchError(journal_path(directory) + ": was written with " + flags_of(reader.header()) +
                        "; start with these, or with an empty directory");
  }
  Recovery recovery;
  Snapshot snapshot;
  const SnapshotRead read = read_snapshot(directory, expected.limits, snapshot);
  if (read == SnapshotRead::kRead && replayer.skip_to(snapshot.sequence, snapshot.journal_bytes)) {
    restore_snapshot(snapshot, state);
    recovery.snapshot = snapshot.sequence;
  } else {
    recovery.snapshot_ignored = read != SnapshotRead::kNone;
    replayer.start_over();
  }
  replayer.match_all();
  recovery.commands = state.last.value;
  recovery.end = reader.offset();
  recovery.torn_bytes = reader.torn_bytes();
  recovery.missing_bytes = reader.missing_bytes();
  return recovery;
}

}  // namespace lab::engine
