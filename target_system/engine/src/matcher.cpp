#include "engine/matcher.hpp"

#include <algorithm>
#include <string>

namespace lab::engine {

std::string replay_record(Bytes payload, Sequence expected, Matcher& matcher, Buffer& scratch, Command& command) {
  Sequence sequence;
  command = Command{};
  if (!decode_stored_command(payload, sequence, command) || !is_well_formed(command)) return "is no sequenced command";
  if (sequence != expected) return "has sequence number " + std::to_string(sequence.value);
  scratch.clear();
  matcher.execute(command, sequence, 0, scratch);
  if (!std::ranges::equal(scratch.view(), payload)) return "holds another result than its command gives now";
  return {};
}

}  // namespace lab::engine
