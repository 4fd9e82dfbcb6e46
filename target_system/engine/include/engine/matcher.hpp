// A command goes in, its journal record comes out: the books, and the encoding of what they answer.
//
// A pure function of the sequence of commands. The server, its recovery and engine-replay all go through here, so that
// they cannot differ.
#pragma once

#include <span>
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

  struct Payload {
    std::size_t offset;       // in the buffer
    std::size_t result_size;  // without the command behind it
  };

  // Matches a well-formed command and appends its payload behind `head` free bytes.
  Payload execute(const Command& command, Sequence sequence, std::size_t head, Buffer& buffer) {
    outcomes_.clear();
    const Order order = order_of(command, sequence);
    const Verdict verdict = market_.apply(order, outcomes_);
    const auto fills = outcomes_.fills();
    const auto removals = outcomes_.removals();
    u8* const start = head + buffer.reserve(head + kVerdictBytesMax + kCommandBytesMax + fills.size() * kFillBytesMax +
                                            removals.size() * kRemovalBytesMax);
    u8* const middle = encode_result(sequence, order.id, verdict, fills, removals, start);
    buffer.end_at(encode_command_field(command, middle));
    verdict_ = verdict;  // here, not above: a copy of what was just written in parts would wait for the store buffer
    return {static_cast<std::size_t>(start - buffer.data()), static_cast<std::size_t>(middle - start)};
  }

  // Of the command that was executed last.
  const Verdict& verdict() const { return verdict_; }
  const Outcomes& outcomes() const { return outcomes_; }

  Market<DenseIds>& market() { return market_; }
  const Market<DenseIds>& market() const { return market_; }

 private:
  Market<DenseIds> market_;
  Outcomes outcomes_;
  Verdict verdict_;
};

// Why `payload` is not what the matcher gives for its command as number `expected`; empty if it is.
std::string replay_record(Bytes payload, Sequence expected, Matcher& matcher, Buffer& scratch, Command& command);

}  // namespace lab::engine
