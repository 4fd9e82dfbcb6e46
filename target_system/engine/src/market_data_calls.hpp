// The call that tells of books and trades.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "calls.hpp"

namespace lab::engine {

// What is not written yet waits in a bounded queue. When that is full the subscriber is cut off: the queue goes, and the
// stream ends with the reason behind the message that is being written, or without it where not even that moves on.
class SubscribeCall final : public Call, public Subscriber {
 public:
  explicit SubscribeCall(Service& owner) : Call(owner) {}
  void wait_for_client() override;

  bool give(const Round& round) override;
  void end(const grpc::Status& why) override;

 private:
  static constexpr std::size_t kWriteBytesMax = std::size_t{1} << 20;

  struct Next {
    bool write = false;
    std::optional<grpc::Status> finish;
  };

  void begin() override;
  std::shared_ptr<Call> another() const override { return std::make_shared<SubscribeCall>(service); }
  void was_written(bool ok);
  bool parse();
  Next decide();  // under mutex_
  void act();
  void cut_off();  // under mutex_
  void gather();

  grpc::ByteBuffer request_;
  grpc::ServerAsyncWriter<grpc::ByteBuffer> writer_{&context};
  Tag written_{[this](bool ok) { was_written(ok); }};
  Tag finished_{[](bool) {}};
  grpc::ByteBuffer write_;
  std::vector<bool> wanted_;  // by symbol
  u64 cut_at_ns_ = 0;         // the feed thread's

  std::mutex mutex_;  // guards what follows
  std::vector<grpc::Slice> waiting_;
  std::size_t waiting_bytes_ = 0;
  bool writing_ = false;
  bool finished_already_ = false;
  std::optional<grpc::Status> verdict_;
};

}  // namespace lab::engine
