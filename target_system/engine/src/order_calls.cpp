#include "order_calls.hpp"

namespace lab::engine {
namespace {

grpc::Slice slice_of(const Buffer& buffer) { return {buffer.data(), buffer.size()}; }

class NoArchive final : public Archive {
 public:
  void read_payload(Sequence /*sequence*/, Buffer& /*out*/) const override {}
};

}  // namespace

std::unique_ptr<Message> decode_message(const grpc::ByteBuffer& bytes, bool is_batch, const DigestKey& key) {
  grpc::Slice slice;
  if (!bytes.TrySingleSlice(&slice).ok() && !bytes.DumpToSingleSlice(&slice).ok()) return nullptr;
  auto message = std::make_unique<Message>();
  const Bytes view{slice.begin(), slice.size()};
  const bool good = is_batch ? decode_batch(view, message->commands) : decode_command(view, message->commands.emplace_back());
  if (!good) return nullptr;
  message->digests.reserve(message->commands.size());
  for (const Command& command : message->commands) {
    message->digests.push_back(digest_of(key, command));
  }
  return message;
}

void submit_or_refuse(Pipeline& pipeline, std::unique_ptr<Message> message) {
  const Reason refused = pipeline.submit(message);
  if (refused == Reason::kNone) return;
  for (const Command& command : message->commands) {
    Pending pending;
    pending.request = command.request;
    pending.refused = refused;
    message->pending.push_back(pending);
  }
  const std::shared_ptr<Recipient> recipient = message->recipient;
  recipient->answer(*message, Group{}, NoArchive{});
  recipient->flush();
}

void SubmitCall::answer(const Message& message, const Group& group, const Archive& archive) {
  Buffer out;
  encode_single(message, group, archive, out);
  const grpc::Slice slice = slice_of(out);
  *response_ = grpc::ByteBuffer(&slice, 1);
  Finish(grpc::Status::OK);
}

void StreamCall::OnReadDone(bool ok) {
  if (!ok) {
    end(grpc::Status::OK);
    return;
  }
  std::unique_ptr<Message> message = decode_message(read_, true, service_.pipeline().digest_key());
  {
    const std::lock_guard lock(mutex_);
    if (!message) {
      no_more_reads_ = true;
      verdict_ = {grpc::StatusCode::INVALID_ARGUMENT, "the message is no CommandBatch"};
    } else if (!message->commands.empty()) {
      message->ticket = next_ticket_++;
      message->recipient = shared_from_this();
      answers_.emplace_back();
    } else {
      message.reset();
    }
  }
  if (message) submit_or_refuse(service_.pipeline(), std::move(message));
  {
    const std::lock_guard lock(mutex_);
    reading_ = false;  // not before the submit: an answer on another thread would start the next read, and overtake
  }
  act();
}

void StreamCall::answer(const Message& message, const Group& group, const Archive& archive) {
  thread_local Buffer out;
  out.clear();
  encode_batch(message, group, archive, out);
  const std::lock_guard lock(mutex_);
  answers_[message.ticket - first_ticket_] = slice_of(out);
}

void StreamCall::OnWriteDone(bool ok) {
  {
    const std::lock_guard lock(mutex_);
    writing_ = false;
    if (!ok) broken_ = no_more_reads_ = true;
  }
  act();
}

void StreamCall::end(const grpc::Status& why) {
  {
    const std::lock_guard lock(mutex_);
    reading_ = false;
    if (!no_more_reads_) verdict_ = why;
    no_more_reads_ = true;
  }
  act();
}

StreamCall::Next StreamCall::decide() {
  Next next;
  if (finished_) return next;
  if (broken_) {
    while (!answers_.empty() && answers_.front()) {  // nobody to write to, but each message is waited for
      answers_.pop_front();
      ++first_ticket_;
    }
  } else if (!writing_ && !answers_.empty() && answers_.front()) {
    gather();
    writing_ = next.write = true;
  }
  if (!no_more_reads_ && !reading_ && answers_.size() < kOutstandingMax) reading_ = next.read = true;
  if (no_more_reads_ && answers_.empty() && !writing_) {
    finished_ = true;
    next.finish = verdict_;
  }
  return next;
}

// A ResultBatch is one repeated field, so two of them behind each other are one.
void StreamCall::gather() {
  std::vector<grpc::Slice> slices;
  std::size_t size = 0;
  while (!answers_.empty() && answers_.front() && (slices.empty() || size < kWriteBytesMax)) {
    size += answers_.front()->size();
    slices.push_back(*std::move(answers_.front()));
    answers_.pop_front();
    ++first_ticket_;
  }
  write_ = grpc::ByteBuffer(slices.data(), slices.size());
}

// Decides under the lock and acts outside it, as gRPC may call back at once. Only one thread decides each of these.
void StreamCall::act() {
  Next next;
  {
    const std::lock_guard lock(mutex_);
    next = decide();
  }
  if (next.write) StartWrite(&write_);
  if (next.read) StartRead(&read_);
  if (next.finish) Finish(*next.finish);
}

}  // namespace lab::engine
