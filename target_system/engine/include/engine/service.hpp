// The gRPC face of the engine. The order path (Submit, Stream, Results) moves raw bytes; wire.hpp reads and writes them.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine.grpc.pb.h"
#include "engine/pipeline.hpp"

namespace lab::engine {

class StreamCall;

using ServiceBase = v1::Engine::WithRawCallbackMethod_Submit<v1::Engine::WithRawCallbackMethod_Stream<
    v1::Engine::WithRawCallbackMethod_Results<v1::Engine::WithCallbackMethod_Book<
        v1::Engine::WithCallbackMethod_Dump<v1::Engine::WithCallbackMethod_Status<v1::Engine::Service>>>>>>;

class Service final : public ServiceBase {
 public:
  Service(Pipeline& pipeline, Metrics& metrics, std::vector<std::string> symbols)
      : pipeline_(pipeline), metrics_(metrics), symbols_(std::move(symbols)) {}

  // Ends each open stream as soon as its last result is written.
  void end_streams();

  grpc::ServerUnaryReactor* Submit(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                   grpc::ByteBuffer* response) override;
  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Stream(grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* Results(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                    grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* Book(grpc::CallbackServerContext* context, const v1::BookRequest* request,
                                 v1::BookReply* response) override;
  grpc::ServerWriteReactor<v1::RestingOrders>* Dump(grpc::CallbackServerContext* context,
                                                    const v1::DumpRequest* request) override;
  grpc::ServerUnaryReactor* Status(grpc::CallbackServerContext* context, const v1::StatusRequest* request,
                                   v1::StatusReply* response) override;

  Pipeline& pipeline() { return pipeline_; }
  Metrics& metrics() { return metrics_; }
  void forget(StreamCall* call);

 private:
  Pipeline& pipeline_;
  Metrics& metrics_;
  std::vector<std::string> symbols_;
  std::mutex mutex_;  // guards calls_ and ending_
  std::list<std::shared_ptr<StreamCall>> calls_;
  bool ending_ = false;
};

}  // namespace lab::engine
