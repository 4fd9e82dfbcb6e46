#include "engine/matcher.hpp"

#include <algorithm>

namespace lab::engine {

void replay_record(Bytes payload, Sequence expected, Matcher& matcher, Buffer& scratch, Replayed& out) {
  Sequence sequence;
  out.command = Command{};
  out.problem.clear();
  if (!decode_stored_command(payload, sequence, out.command) || !is_well_formed(out.command)) {
    out.problem = "is no sequenced command";
  } else if (sequence != expected) {
    out.problem = "has sequence number " + std::to_string(sequence.value);
  } else {
    scratch.clear();
    out.verdict = matcher.execute(out.command, sequence, 0, scratch).verdict;
    if (!std::ranges::equal(scratch.view(), payload)) out.problem = "holds another result than its command gives now";
  }
}

}  // namespace lab::engine
