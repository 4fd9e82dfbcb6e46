// The calls that look: Results reads the journal, Book, Dump and Status ask the book thread.
#pragma once

#include <memory>
#include <vector>

#include "calls.hpp"

namespace lab::engine {

class ResultsCall final : public Call {
 public:
  explicit ResultsCall(Service& owner) : Call(owner) {}
  void wait_for_client() override;

 private:
  void begin() override;
  std::shared_ptr<Call> another() const override { return std::make_shared<ResultsCall>(service); }

  grpc::ByteBuffer request_;
  grpc::ServerAsyncResponseWriter<grpc::ByteBuffer> writer_{&context};
  Tag finished_{[](bool) {}};
};

// A question whose one reply is filled in on the book thread.
template <class Request, class Reply>
class Question : public Call {
 protected:
  using Call::Call;

  // What is wrong with the request, if anything.
  virtual grpc::Status judge(const Request& request) const = 0;
  virtual void look(const State& state, const Request& request, Reply& reply) const = 0;

  void begin() override;

  Request request_;
  grpc::ServerAsyncResponseWriter<Reply> writer_{&context};

 private:
  Reply reply_;
  Tag finished_{[](bool) {}};
};

class BookCall final : public Question<v1::BookRequest, v1::BookReply> {
 public:
  explicit BookCall(Service& owner) : Question(owner) {}
  void wait_for_client() override;

 private:
  grpc::Status judge(const v1::BookRequest& request) const override;
  void look(const State& state, const v1::BookRequest& request, v1::BookReply& reply) const override;
  std::shared_ptr<Call> another() const override { return std::make_shared<BookCall>(service); }
};

class StatusCall final : public Question<v1::StatusRequest, v1::StatusReply> {
 public:
  explicit StatusCall(Service& owner) : Question(owner) {}
  void wait_for_client() override;

 private:
  grpc::Status judge(const v1::StatusRequest& /*request*/) const override { return grpc::Status::OK; }
  void look(const State& state, const v1::StatusRequest& request, v1::StatusReply& reply) const override;
  std::shared_ptr<Call> another() const override { return std::make_shared<StatusCall>(service); }
};

class DumpCall final : public Call {
 public:
  explicit DumpCall(Service& owner) : Call(owner) {}
  void wait_for_client() override;

 private:
  void begin() override;
  std::shared_ptr<Call> another() const override { return std::make_shared<DumpCall>(service); }
  void copy(const State& state);
  void write_next();

  v1::DumpRequest request_;
  grpc::ServerAsyncWriter<v1::RestingOrders> writer_{&context};
  std::vector<v1::RestingOrders> messages_;
  std::size_t next_ = 0;
  Tag written_{[this](bool ok) {
    if (!ok) next_ = messages_.size();
    write_next();
  }};
  Tag finished_{[](bool) {}};
};

}  // namespace lab::engine
