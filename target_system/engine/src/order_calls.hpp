// The calls that carry orders: one command by Submit, batches by Stream.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <optional>

#include "engine/service.hpp"

namespace lab::engine {

// A message with its commands decoded, or null where the bytes are none.
std::unique_ptr<Message> decode_message(const grpc::ByteBuffer& bytes, bool is_batch, const DigestKey& key);

// Gives the message to the pipeline, or answers it here, refused.
void submit_or_refuse(Pipeline& pipeline, std::unique_ptr<Message> message);

class SubmitCall final : public Recipient, public grpc::ServerUnaryReactor {
 public:
  explicit SubmitCall(grpc::ByteBuffer* response) : response_(response) {}

  void answer(const Message& message, const Group& group, const Archive& archive) override;
  void flush() override {}
  bool gone() const override { return cancelled_; }
  void OnCancel() override { cancelled_ = true; }
  void OnDone() override { self.reset(); }

  std::shared_ptr<SubmitCall> self;  // until the call is over

 private:
  grpc::ByteBuffer* response_;
  std::atomic<bool> cancelled_{false};
};

// Reads on while fewer than kOutstandingMax messages are unanswered; answers in the order of the messages, several at
// once in one ResultBatch where the writer is the slower one.
class StreamCall final : public Recipient,
                         public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
                         public std::enable_shared_from_this<StreamCall> {
 public:
  explicit StreamCall(Service& service) : service_(service) {}

  void begin() { StartRead(&read_); }
  void end(const grpc::Status& why);  // no more messages are read

  void answer(const Message& message, const Group& group, const Archive& archive) override;
  void flush() override { act(); }
  bool gone() const override { return cancelled_; }

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override { cancelled_ = true; }
  void OnDone() override { service_.forget(this); }

 private:
  static constexpr std::size_t kOutstandingMax = 256;  // messages
  static constexpr std::size_t kWriteBytesMax = std::size_t{1} << 20;

  struct Next {
    bool write = false;
    bool read = false;
    std::optional<grpc::Status> finish;
  };
  Next decide();  // under mutex_
  void act();
  void gather();

  Service& service_;
  grpc::ByteBuffer read_;
  grpc::ByteBuffer write_;
  std::mutex mutex_;  // guards what follows
  std::deque<std::optional<grpc::Slice>> answers_;  // of the messages from first_ticket_ on, in their order
  u64 first_ticket_ = 0;
  u64 next_ticket_ = 0;
  bool reading_ = true;
  bool writing_ = false;
  bool no_more_reads_ = false;
  bool broken_ = false;
  bool finished_ = false;
  grpc::Status verdict_ = grpc::Status::OK;
  std::atomic<bool> cancelled_{false};
};

}  // namespace lab::engine
