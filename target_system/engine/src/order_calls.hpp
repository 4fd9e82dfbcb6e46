// The calls that carry orders: one command by Submit, batches by Stream.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <optional>

#include "calls.hpp"

namespace lab::engine {

class SubmitCall final : public Call, public Recipient {
 public:
  explicit SubmitCall(Service& owner) : Call(owner) {}

  void wait_for_client() override;
  void answer(const Message& message, const Group& group, const Archive& archive) override;
  void flush() override {}
  bool gone() const override { return cancelled(); }

 private:
  void begin() override;
  std::shared_ptr<Call> another() const override { return std::make_shared<SubmitCall>(service); }

  grpc::ByteBuffer request_;
  grpc::ServerAsyncResponseWriter<grpc::ByteBuffer> writer_{&context};
  Tag finished_{[](bool) {}};
};

// Reads on while fewer than kOutstandingMax messages are unanswered; answers in the order of the messages, several at
// once in one ResultBatch where the writer is the slower one.
class StreamCall final : public Call, public Recipient {
 public:
  explicit StreamCall(Service& owner) : Call(owner) {}

  void wait_for_client() override;
  void end(const grpc::Status& why);  // no more messages are read

  void answer(const Message& message, const Group& group, const Archive& archive) override;
  void flush() override { act(); }
  bool gone() const override { return cancelled(); }

 private:
  static constexpr std::size_t kOutstandingMax = 256;  // messages
  static constexpr std::size_t kWriteBytesMax = std::size_t{1} << 20;

  struct Next {
    bool write = false;
    bool read = false;
    std::optional<grpc::Status> finish;
  };

  void begin() override;
  std::shared_ptr<Call> another() const override { return std::make_shared<StreamCall>(service); }
  void over() override { service.closed(*this); }

  void was_read(bool ok);
  void was_written(bool ok);
  Next decide();  // under mutex_
  void act();
  void gather();

  grpc::ServerAsyncReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer> stream_{&context};
  Tag read_done_{[this](bool ok) { was_read(ok); }};
  Tag write_done_{[this](bool ok) { was_written(ok); }};
  Tag finished_{[](bool) {}};
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
  bool finished_already_ = false;
  grpc::Status verdict_ = grpc::Status::OK;
};

}  // namespace lab::engine
