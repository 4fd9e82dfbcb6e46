#include "order_calls.hpp"

#include "engine/crash_point.hpp"

namespace lab::engine {
namespace {

// Step 5 of decision 1: the results are with the client.
CrashPoint after_sending("sent");

grpc::Slice slice_of(const Buffer& buffer) { return {buffer.data(), buffer.size()}; }

// Of a message that was refused, whose results are in no journal.
class NoArchive final : public Archive {
 public:
  void read_payload(Sequence /*sequence*/, Buffer& /*out*/) const override {}
};

// A message with its commands decoded, or null where the bytes are none.
std::unique_ptr<Message> decode_message(const grpc::ByteBuffer& bytes, bool is_batch, const DigestKey& key) {
  grpc::Slice slice;
  if (!bytes.TrySingleSlice(&slice).ok() && !bytes.DumpToSingleSlice(&slice).ok()) return nullptr;
  auto message = std::make_unique<Message>();
  const Bytes view{slice.begin(), slice.size()};
  const bool good =
      is_batch ? decode_batch(view, message->commands) : decode_command(view, message->commands.emplace_back());
  if (!good) return nullptr;
  message->digests.reserve(message->commands.size());
  for (const Command& command : message->commands) message->digests.push_back(digest_of(key, command));
  return message;
}

// Gives the message to the pipeline, or answers it here, refused.
void submit_or_refuse(Pipeline& pipeline, std::unique_ptr<Message> message) {
  const Reason refused = pipeline.submit(message);
  if (refused == Reason::kNone) return;
  for (const Command& command : message->commands) {
    Pending& pending = message->pending.emplace_back();
    pending.request = command.request;
    pending.refused = refused;
  }
  const std::shared_ptr<Recipient> recipient = message->recipient;
  recipient->answer(*message, Group{}, NoArchive{});
  recipient->flush();
}

}  // namespace

void SubmitCall::wait_for_client() {
  service.async().RequestSubmit(&context, &request_, &writer_, &service.queue(), &service.queue(), arm_accept());
}

void SubmitCall::begin() {
  std::unique_ptr<Message> message = decode_message(request_, false, service.pipeline().digest_key());
  if (!message) {
    writer_.FinishWithError({grpc::StatusCode::INVALID_ARGUMENT, "the request is no Command"}, arm(finished_));
    return;
  }
  message->recipient = std::static_pointer_cast<SubmitCall>(shared_from_this());
  submit_or_refuse(service.pipeline(), std::move(message));
}

void SubmitCall::answer(const Message& message, const Group& group, const Archive& archive) {
  Buffer out;
  encode_single(message, group, archive, out);
  const grpc::Slice slice = slice_of(out);
  writer_.Finish(grpc::ByteBuffer(&slice, 1), grpc::Status::OK, arm(finished_));
}

void StreamCall::wait_for_client() {
  service.async().RequestStream(&context, &stream_, &service.queue(), &service.queue(), arm_accept());
}

void StreamCall::begin() {
  stream_.Read(&read_, arm(read_done_));
  service.opened(*this);
}

void StreamCall::was_read(bool ok) {
  if (!ok) {
    end(grpc::Status::OK);
    return;
  }
  std::unique_ptr<Message> message = decode_message(read_, true, service.pipeline().digest_key());
  {
    const std::lock_guard lock(mutex_);
    if (!message) {
      no_more_reads_ = true;
      verdict_ = {grpc::StatusCode::INVALID_ARGUMENT, "the message is no CommandBatch"};
    } else if (!message->commands.empty()) {
      message->ticket = next_ticket_++;
      message->recipient = std::static_pointer_cast<StreamCall>(shared_from_this());
      answers_.emplace_back();
    } else {
      message.reset();
    }
  }
  if (message) submit_or_refuse(service.pipeline(), std::move(message));
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

void StreamCall::was_written(bool ok) {
  after_sending.passed();
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
    if (!no_more_reads_) verdict_ = why;
    no_more_reads_ = true;
  }
  act();
}

StreamCall::Next StreamCall::decide() {
  Next next;
  if (finished_already_) return next;
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
    finished_already_ = true;
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

// Decides under the lock and acts outside it. Only one thread decides each of these.
void StreamCall::act() {
  Next next;
  {
    const std::lock_guard lock(mutex_);
    next = decide();
  }
  if (next.write) stream_.Write(write_, arm(write_done_));
  if (next.read) stream_.Read(&read_, arm(read_done_));
  if (next.finish) stream_.Finish(*next.finish, arm(finished_));
}

}  // namespace lab::engine
