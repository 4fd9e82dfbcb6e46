// One CommandBatch on its way through the engine, and the bytes that answer it.
#pragma once

#include <memory>
#include <vector>

#include "engine/buffer.hpp"
#include "engine/command.hpp"
#include "engine/identity.hpp"
#include "engine/wire.hpp"

namespace lab::engine {

// What will be said to one command. Exactly one of three: a new record, an old one, or none.
struct Pending {
  u64 request = 0;
  std::size_t offset = 0;  // of a new record's payload in its group
  u32 size = 0;            // of the result in it; 0: not a new record
  Sequence repeats;        // the first result is given again; 0: not a repeat
  Reason refused = Reason::kNone;
};

class Recipient;

struct Message {
  std::vector<Command> commands;
  std::vector<Digest> digests;
  std::vector<Pending> pending;
  Timing timing;
  u64 arrived_ns = 0;
  u64 matched_ns = 0;  // when the last was matched
  u64 ticket = 0;      // the recipient's own number
  std::shared_ptr<Recipient> recipient;
};

// The records of messages that share a sync.
struct Group {
  Buffer bytes;
  std::vector<std::unique_ptr<Message>> messages;
  u64 file_offset = 0;  // of its first byte, once known
  u32 records = 0;
  Sequence last_sequence;
  u64 last_trade_id = 0;
};

// Reads the payload of a synced record from the journal.
class Archive {
 public:
  virtual ~Archive() = default;
  virtual void read_payload(Sequence sequence, Buffer& out) const = 0;
};

// Is shown the records of each group once they are on disk, by the sync thread. It may keep the buffer, and then leaves another.
class RecordSink {
 public:
  virtual ~RecordSink() = default;
  virtual void take(Buffer& records) = 0;
};

// Who asked. answer() is called once per message, from any thread, when all of it is on disk (or refused); flush() after
// the answers of one group, so that they can leave together.
class Recipient {
 public:
  virtual ~Recipient() = default;
  virtual void answer(const Message& message, const Group& group, const Archive& archive) = 0;
  virtual void flush() = 0;
  // Nobody waits any more, so what has not been matched need not be.
  virtual bool gone() const = 0;
};

// Appends the results as a ResultBatch, or as the one Result of a message with one command.
void encode_batch(const Message& message, const Group& group, const Archive& archive, Buffer& out);
void encode_single(const Message& message, const Group& group, const Archive& archive, Buffer& out);

}  // namespace lab::engine
