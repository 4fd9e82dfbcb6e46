// Any bytes as a CommandBatch: read or refused, and what is read and well formed can be written, read back and matched.

#include <cstdlib>
#include <memory>
#include <vector>

#include "engine/matcher.hpp"

namespace {

using namespace lab::engine;

void require(bool condition) {
  if (!condition) std::abort();
}

void match_and_read_back(const Command& command, Sequence sequence, Matcher& matcher) {
  Buffer buffer;
  matcher.execute(command, sequence, 0, buffer);
  Sequence stored_sequence;
  Command stored;
  require(decode_stored_command(buffer.view(), stored_sequence, stored));
  require(stored_sequence == sequence && is_well_formed(stored));
  require(stored.client_order_id() == command.client_order_id() && stored.price == command.price);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<Command> commands;
  if (!decode_batch({data, size}, commands)) return 0;
  const auto matcher = std::make_unique<Matcher>(
      Limits{.symbols = 2, .price_min = 1, .price_max = 100, .orders = 64}, commands.size());
  u64 sequence = 0;
  for (const Command& command : commands) {
    if (is_well_formed(command)) match_and_read_back(command, Sequence(++sequence), *matcher);
  }
  return 0;
}
