// The gRPC face of the engine. The order path (Submit, Stream, Results) moves raw bytes; wire.hpp reads and writes them.
//
// One thread serves all calls. Answers come from the sync thread and from the book thread.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "engine.grpc.pb.h"
#include "engine/feed.hpp"
#include "engine/options.hpp"
#include "engine/pipeline.hpp"
#include "market_data.grpc.pb.h"

namespace lab::engine {

class StreamCall;

class Service {
 public:
  using Async = v1::Engine::WithRawMethod_Submit<v1::Engine::WithRawMethod_Stream<
      v1::Engine::WithRawMethod_Results<v1::Engine::WithAsyncMethod_Book<
          v1::Engine::WithAsyncMethod_Dump<v1::Engine::WithAsyncMethod_Status<v1::Engine::Service>>>>>>;

  using AsyncMarketData = market::MarketData::WithRawMethod_Subscribe<market::MarketData::Service>;

  Service(Pipeline& pipeline, Feed& feed, Metrics& metrics, const Options& options);
  ~Service();
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  // Answers at `address` from now on. The port, or 0 if the address cannot be had.
  int start(const std::string& address);
  // Ends each stream when its last result is written, then the server; calls still open at the deadline are cut.
  void stop(std::chrono::milliseconds deadline);

  Pipeline& pipeline() { return pipeline_; }
  Feed& feed() { return feed_; }
  Metrics& metrics() { return metrics_; }
  const std::vector<std::string>& symbols() const { return symbols_; }
  std::size_t subscriber_bytes() const { return subscriber_bytes_; }
  Async& async() { return async_; }
  AsyncMarketData& async_market_data() { return async_market_data_; }
  grpc::ServerCompletionQueue& queue() { return *queue_; }

  void opened(StreamCall& stream);
  void closed(StreamCall& stream);

 private:
  void serve();

  Pipeline& pipeline_;
  Feed& feed_;
  Metrics& metrics_;
  std::vector<std::string> symbols_;
  std::size_t subscriber_bytes_;
  Async async_;
  AsyncMarketData async_market_data_;
  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::unique_ptr<grpc::Server> server_;
  std::thread thread_;
  std::mutex mutex_;  // guards what follows
  std::set<StreamCall*> streams_;
  bool stopping_ = false;
};

}  // namespace lab::engine
