// A command goes in, its journal record comes out: the books, and the encoding of what they answer.
//
// A pure function of the sequence of commands. The server, its recovery and engine-replay all go through here, so that
// they cannot differ.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "engine/buffer.hpp"
#include "engine/command.hpp"
#include "engine/market.hpp"
#include "engine/wire.hpp"

namespace lab::engine {

// Fills and removals of one command. Both fit whatever happens: each but the last takes an order out of the books.
class Outcomes {
 public:
  explicit Outcomes(u32 orders) : fills_(u64{orders} + 1), removals_(u64{orders} + 1) {}

  void fill(const Fill& fill) { fills_[fill_count_++] = fill; }
  void removal(const Removal& removal) { removals_[removal_count_++] = removal; }
  void clear() { fill_count_ = removal_count_ = 0; }

  std::span<const Fill> fills() const { return {&fills_[0], fill_count_}; }
  std::span<const Removal> removals() const { return {&removals_[0], removal_count_}; }

 private:
  PageArray<Fill> fills_;
  PageArray<Removal> removals_;
  std::size_t fill_count_ = 0;
  std::size_t removal_count_ = 0;
};

class Matcher {
 public:
  // `last_sequence`: the highest that will ever be given.
  Matcher(const Limits& limits, u64 last_sequence) : market_(limits, last_sequence), outcomes_(limits.orders) {}

  struct Executed {
    Verdict verdict;
    std::size_t offset = 0;       // of the payload in the buffer
    std::size_t result_size = 0;  // without the command behind it
  };

  // Matches a well-formed command and appends its payload behind `head` free bytes.
  Executed execute(const Command& command, Sequence sequence, std::size_t head, Buffer& buffer) {
    outcomes_.clear();
    const Order order = order_of(command, sequence);
    // Made in its place: a copy of what was just written in parts would wait for the store buffer.
    Executed done{.verdict = market_.apply(order, outcomes_)};
    const auto fills = outcomes_.fills();
    const auto removals = outcomes_.removals();
    u8* const start = head + buffer.reserve(head + kVerdictBytesMax + kCommandBytesMax + fills.size() * kFillBytesMax +
                                            removals.size() * kRemovalBytesMax);
    u8* const middle = encode_result(sequence, order.id, done.verdict, fills, removals, start);
    buffer.end_at(encode_command_field(command, middle));
    done.offset = static_cast<std::size_t>(start - buffer.data());
    done.result_size = static_cast<std::size_t>(middle - start);
    return done;
  }

  // Fills and removals of the command that was executed last.
  const Outcomes& outcomes() const { return outcomes_; }

  Market<DenseIds>& market() { return market_; }
  const Market<DenseIds>& market() const { return market_; }

 private:
  Market<DenseIds> market_;
  Outcomes outcomes_;
};

// Matches the command of a record again.
struct Replayed {
  Command command;
  Verdict verdict;
  std::string problem;  // why the record is not what its command gives as number `expected`; empty if it is
};
void replay_record(Bytes payload, Sequence expected, Matcher& matcher, Buffer& scratch, Replayed& out);

}  // namespace lab::engine
