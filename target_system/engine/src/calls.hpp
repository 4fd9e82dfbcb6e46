// gRPC calls on one completion queue that one thread serves: no thread hands another what it has just read.
//
// A Call lives as long as one of its operations is under way or somebody answers to it: each operation has a Tag that
// keeps it, and names what follows.
#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>

#include "engine/service.hpp"

namespace lab::engine {

struct Tag {
  explicit Tag(std::function<void(bool)> what) : then(std::move(what)) {}

  std::function<void(bool ok)> then;
  std::shared_ptr<void> keep;  // while the operation is under way
};

// Takes a tag from the queue and does what follows. False when the queue is shut down and empty.
bool serve_one(grpc::ServerCompletionQueue& queue);

class Call : public std::enable_shared_from_this<Call> {
 public:
  virtual ~Call() = default;
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  // Waits for a client to make this call. Once one does, another waits in its place.
  virtual void wait_for_client() = 0;

 protected:
  explicit Call(Service& owner) : service(owner) {
    context.AsyncNotifyWhenDone(&over_);
  }

  void* arm(Tag& tag) {
    tag.keep = shared_from_this();
    return &tag;
  }
  void* arm_accept() {
    over_.keep = shared_from_this();
    return arm(accepted_);
  }
  bool cancelled() const { return cancelled_; }

  virtual void begin() = 0;                            // a client has called
  virtual std::shared_ptr<Call> another() const = 0;  // the same, for the next client
  virtual void over() {}                               // answered, or the client is gone

  Service& service;
  grpc::ServerContext context;

 private:
  std::atomic<bool> cancelled_{false};
  Tag accepted_{[this](bool ok) {
    if (!ok) {  // the server stops; gRPC will not say that the call is over, as it never began
      over_.keep.reset();
      return;
    }
    another()->wait_for_client();
    begin();
  }};
  Tag over_{[this](bool) {
    cancelled_ = context.IsCancelled();
    over();
  }};
};

}  // namespace lab::engine
