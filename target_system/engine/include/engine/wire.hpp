// Commands and results in the bytes of engine.proto, written and read by hand.
//
// The order path and the journal both speak protobuf, so a result is encoded once: what is journalled is the Result
// message with its command, and what is sent is the same bytes behind the sender's request number. Reading a batch of 64
// commands this way costs a third of what the generated classes cost. wire_test.cpp holds both against the generated ones.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "engine/command.hpp"

namespace lab::engine {

using Bytes = std::span<const u8>;

// Field numbers that are used outside wire.cpp.
inline constexpr u32 kBatchItemField = 1;  // of CommandBatch and ResultBatch

// Appends the commands of a CommandBatch. False if the bytes are no CommandBatch; then `commands` is as it was. A command
// with a value that does not fit is kept, marked not well formed, so that its request can be answered.
bool decode_batch(Bytes bytes, std::vector<Command>& commands);
bool decode_command(Bytes bytes, Command& command);

// Upper bounds of what the encoders below write.
inline constexpr std::size_t kCommandBytesMax = 128;
inline constexpr std::size_t kVerdictBytesMax = 96;
inline constexpr std::size_t kFillBytesMax = 56;
inline constexpr std::size_t kRemovalBytesMax = 24;
inline constexpr std::size_t kTimingBytesMax = 28;
inline constexpr std::size_t kRequestBytesMax = 11;

// Each writes at `out` and returns the end. None checks the space: the caller has made sure of it.
u8* encode_command(const Command& command, u8* out);  // without request
u8* encode_result(Sequence sequence, OrderId order_id, const Verdict& verdict, std::span<const Fill> fills,
                  std::span<const Removal> removals, u8* out);  // without request, timing and command
u8* encode_command_field(const Command& command, u8* out);       // Result.command
u8* encode_request_field(u64 request, u8* out);                  // Result.request
u8* encode_repeated_field(u8* out);                              // Result.repeated_command = true
u8* encode_not_sequenced(Reason reason, u8* out);                // Result.outcome and reason
u8* encode_length_prefix(u32 field, u64 size, u8* out);          // tag and length of an embedded message

struct Timing {
  u32 queued_ns = 0;
  u32 matched_ns = 0;
  u32 synced_ns = 0;
  u32 batch_size = 0;
};
u8* encode_timing_field(const Timing& timing, u8* out);  // Result.timing

// A result as it is journalled, read back.
struct StoredResult {
  Sequence sequence;
  OrderId order_id;
  Verdict verdict;
  std::vector<Fill> fills;
  std::vector<Removal> removals;
  Command command;
};
// False if the bytes are no Result with a command.
bool decode_stored(Bytes bytes, StoredResult& result);
// The same without fills and removals, for the fast path of a replay.
bool decode_stored_command(Bytes bytes, Sequence& sequence, Command& command);

}  // namespace lab::engine
