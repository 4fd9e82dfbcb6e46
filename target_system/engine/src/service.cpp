#include "engine/service.hpp"

#include <pthread.h>

#include "market_data_calls.hpp"
#include "order_calls.hpp"
#include "query_calls.hpp"

namespace lab::engine {
namespace {

constexpr int kMessageBytesMax = 16 << 20;
// Clients that may call at the same moment without one waiting for another's call to be taken.
constexpr int kSubmitsWaiting = 32;

const grpc::Status kStopping{grpc::StatusCode::UNAVAILABLE, "the engine stops"};

}  // namespace

bool serve_one(grpc::ServerCompletionQueue& queue) {
  void* raw = nullptr;
  bool ok = false;
  if (!queue.Next(&raw, &ok)) return false;
  auto* const tag = static_cast<Tag*>(raw);
  const std::shared_ptr<void> keep = std::move(tag->keep);
  tag->then(ok);
  return true;
}

Service::Service(Pipeline& pipeline, Feed& feed, Metrics& metrics, const Options& options)
    : pipeline_(pipeline),
      feed_(feed),
      metrics_(metrics),
      symbols_(options.header.symbols),
      subscriber_bytes_(options.subscriber_bytes) {}

Service::~Service() {
  if (thread_.joinable()) stop(std::chrono::milliseconds(0));
}

int Service::start(const std::string& address) {
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.SetMaxReceiveMessageSize(kMessageBytesMax);
  builder.RegisterService(&async_);
  builder.RegisterService(&async_market_data_);
  queue_ = builder.AddCompletionQueue();
  server_ = builder.BuildAndStart();
  if (server_ == nullptr) return 0;
  for (int i = 0; i < kSubmitsWaiting; ++i) std::make_shared<SubmitCall>(*this)->wait_for_client();
  std::make_shared<StreamCall>(*this)->wait_for_client();
  std::make_shared<ResultsCall>(*this)->wait_for_client();
  std::make_shared<BookCall>(*this)->wait_for_client();
  std::make_shared<StatusCall>(*this)->wait_for_client();
  std::make_shared<DumpCall>(*this)->wait_for_client();
  std::make_shared<SubscribeCall>(*this)->wait_for_client();
  thread_ = std::thread([this] { serve(); });
  ::pthread_setname_np(thread_.native_handle(), "engine-rpc");
  return port;
}

void Service::serve() {
  while (serve_one(*queue_)) {
  }
}

void Service::stop(std::chrono::milliseconds deadline) {
  std::vector<std::shared_ptr<Call>> streams;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (StreamCall* const stream : streams_) streams.push_back(stream->shared_from_this());
  }
  for (const auto& stream : streams) static_cast<StreamCall&>(*stream).end(kStopping);
  streams.clear();
  feed_.close(kStopping);
  server_->Shutdown(std::chrono::system_clock::now() + deadline);
  queue_->Shutdown();
  thread_.join();
}

void Service::opened(StreamCall& stream) {
  ++metrics_.counts.streams;
  bool stopping = false;
  {
    const std::lock_guard lock(mutex_);
    streams_.insert(&stream);
    stopping = stopping_;
  }
  if (stopping) stream.end(kStopping);
}

void Service::closed(StreamCall& stream) {
  --metrics_.counts.streams;
  const std::lock_guard lock(mutex_);
  streams_.erase(&stream);
}

}  // namespace lab::engine
