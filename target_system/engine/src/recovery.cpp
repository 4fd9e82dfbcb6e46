#include "engine/recovery.hpp"

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

}  // namespace

Recovery recover(const std::string& directory, const JournalHeader& expected, State& state) {
  JournalReader reader(directory);
  if (reader.header() != expected) {
    throw MismatchError(journal_path(directory) + ": was written with " + flags_of(reader.header()) +
                        "; start with these, or with an empty directory");
  }
  Recovery recovery;
  Buffer scratch;
  Bytes payload;
  Replayed replayed;
  while (true) {
    const u64 at = reader.offset();
    if (!reader.next(payload)) break;
    const Sequence sequence(state.last.value + 1);
    if (sequence.value > state.identities.capacity()) {
      throw MismatchError(journal_path(directory) + ": holds more commands than --max-ids " +
                          std::to_string(state.identities.capacity()) + " allows; raise it");
    }
    replay_record(payload, sequence, state.matcher, scratch, replayed);
    if (!replayed.problem.empty()) {
      throw JournalError(journal_path(directory) + ": byte " + std::to_string(at) + ": record " +
                         std::to_string(sequence.value) + " " + replayed.problem);
    }
    u32* const place = state.identities.find(digest_of(state.key, replayed.command));
    if (*place != 0) {
      throw JournalError(journal_path(directory) + ": byte " + std::to_string(at) + ": record " +
                         std::to_string(sequence.value) + " repeats the identity of record " + std::to_string(*place));
    }
    state.identities.claim(place, sequence);
    state.offsets[sequence.value] = at + kRecordHeadBytes;
    state.last = sequence;
    ++recovery.commands;
  }
  recovery.end = reader.offset();
  recovery.torn_bytes = reader.torn_bytes();
  recovery.missing_bytes = reader.missing_bytes();
  return recovery;
}

}  // namespace lab::engine
