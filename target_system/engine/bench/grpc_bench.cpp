// engine-grpc-bench: orders per second over loopback gRPC, journal and sync included; one JSON object.
//
// Starts engines of its own on empty journals, sends the reference flow as messages of many orders with some in flight,
// then single orders by unary calls. The flow is encoded beforehand; what is measured is the engine and gRPC. Each run is
// done with the journal in memory (/dev/shm), where a sync is free, and on the disk of --directory; medians. At the end
// the engine's trade hash must be that of the same commands matched here.

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstdio>
#include <filesystem>
#include <mutex>
#include <string>

#include "engine.grpc.pb.h"
#include "contenders.hpp"
#include "engine/buffer.hpp"
#include "engine/clock.hpp"
#include "engine_process.hpp"
#include "flow_commands.hpp"
#include "wire_io.hpp"

namespace lab::engine::bench {
namespace {

struct Arguments {
  std::string engine;
  std::string directory;
  u64 orders = 2'000'000;
  u64 unary = 50'000;
  u64 per_message = 64;
  u64 in_flight = 8;
  u64 unary_in_flight = 32;
  u64 repetitions = 3;
};

constexpr auto kDeadline = std::chrono::seconds(120);

u64 count_results(const grpc::ByteBuffer& buffer) {
  grpc::Slice slice;
  if (!buffer.TrySingleSlice(&slice).ok() && !buffer.DumpToSingleSlice(&slice).ok()) return 0;
  wire::Reader reader({slice.begin(), slice.size()});
  u64 count = 0;
  for (wire::Field field; reader.next(field) && reader.skip(field);) ++count;
  return count;
}

std::vector<grpc::ByteBuffer> encode_messages(const std::vector<Command>& commands, u64 per_message) {
  std::vector<grpc::ByteBuffer> messages;
  Buffer out;
  for (std::size_t i = 0; i < commands.size(); ++i) {
    u8 body[kRequestBytesMax + kCommandBytesMax];
    const u8* const end = encode_command(commands[i], encode_request_field(commands[i].request, body));
    const auto size = static_cast<std::size_t>(end - body);
    u8* at = encode_length_prefix(kBatchItemField, size, out.reserve(size + 16));
    std::memcpy(at, body, size);
    out.end_at(at + size);
    if ((i + 1) % per_message != 0 && i + 1 != commands.size()) continue;
    const grpc::Slice slice(out.data(), out.size());
    messages.emplace_back(&slice, 1);
    out.clear();
  }
  return messages;
}

// Keeps `in_flight` messages unanswered until all are answered; one thread, one completion queue. Where several messages
// may go they leave together.
class StreamLoad {
 public:
  StreamLoad(grpc::GenericStub& stub, const std::vector<grpc::ByteBuffer>& messages, const Arguments& arguments)
      : messages_(messages),
        per_message_(arguments.per_message),
        in_flight_(arguments.in_flight),
        wanted_(arguments.orders) {
    context_.set_deadline(std::chrono::system_clock::now() + kDeadline);
    stream_ = stub.PrepareCall(&context_, "/lab.engine.v1.Engine/Stream", &queue_);
  }

  grpc::Status run() {
    stream_->StartCall(tag(Step::kStarted));
    void* done = nullptr;
    for (bool ok = false; queue_.Next(&done, &ok);) {
      const auto step = static_cast<Step>(reinterpret_cast<std::uintptr_t>(done));
      if (step == Step::kFinished) break;
      if (ok) {
        follow(step);
      } else if (step != Step::kRead || results_ != wanted_) {
        stream_->Finish(&status_, tag(Step::kFinished));
      }
    }
    if (status_.ok() && results_ != wanted_) return {grpc::StatusCode::DATA_LOSS, "results are missing"};
    return status_;
  }

 private:
  enum class Step : std::uintptr_t { kStarted, kRead, kWritten, kClosed, kFinished };

  static void* tag(Step step) { return reinterpret_cast<void*>(static_cast<std::uintptr_t>(step)); }

  void follow(Step step) {
    switch (step) {
      case Step::kStarted:
        stream_->Read(&read_, tag(Step::kRead));
        break;
      case Step::kRead:
        results_ += count_results(read_);
        stream_->Read(&read_, tag(Step::kRead));
        break;
      case Step::kWritten:
        writing_ = false;
        break;
      case Step::kClosed:
        stream_->Finish(&status_, tag(Step::kFinished));
        return;
      case Step::kFinished:
        return;
    }
    write();
  }

  void write() {
    if (writing_) return;
    if (results_ == wanted_) {
      writing_ = true;
      stream_->WritesDone(tag(Step::kClosed));
      return;
    }
    const u64 allowed = std::min<u64>(results_ / per_message_ + in_flight_, messages_.size());
    if (next_ >= allowed) return;
    writing_ = true;
    grpc::WriteOptions options;
    if (next_ + 1 < allowed) options.set_buffer_hint();
    stream_->Write(messages_[next_++], options, tag(Step::kWritten));
  }

  const std::vector<grpc::ByteBuffer>& messages_;
  const u64 per_message_;
  const u64 in_flight_;
  const u64 wanted_;
  grpc::CompletionQueue queue_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream_;
  grpc::ByteBuffer read_;
  grpc::Status status_;
  u64 next_ = 0;
  u64 results_ = 0;
  bool writing_ = false;
};

double stream_per_s(grpc::GenericStub& stub, const std::vector<Command>& commands, const Arguments& arguments) {
  const std::vector<grpc::ByteBuffer> messages = encode_messages(commands, arguments.per_message);
  StreamLoad load(stub, messages, arguments);
  const u64 started_ns = now_ns();
  const grpc::Status status = load.run();
  const u64 duration_ns = now_ns() - started_ns;
  if (!status.ok()) throw std::runtime_error("the stream failed: " + status.error_message());
  return static_cast<double>(commands.size()) * 1e9 / static_cast<double>(duration_ns);
}

// `in_flight` calls at a time, each answer starting the next.
class UnaryLoad {
 public:
  UnaryLoad(v1::Engine::Stub& stub, u64 calls, u64 in_flight) : stub_(stub), calls_(calls), slots_(in_flight) {}

  double run() {
    const u64 started_ns = now_ns();
    for (Slot& slot : slots_) next(slot);
    std::unique_lock lock(mutex_);
    finished_.wait(lock, [this] { return answered_ == calls_; });
    if (failed_ > 0) throw std::runtime_error(std::to_string(failed_) + " unary calls failed");
    return static_cast<double>(calls_) * 1e9 / static_cast<double>(now_ns() - started_ns);
  }

 private:
  struct Slot {
    std::unique_ptr<grpc::ClientContext> context;
    v1::Command command;
    v1::Result result;
  };

  void next(Slot& slot) {
    {
      const std::lock_guard lock(mutex_);
      if (started_ == calls_) return;
      slot.command.set_client_order_id("u" + std::to_string(++started_));
    }
    slot.command.set_kind(v1::NEW);
    slot.command.set_side(v1::BUY);
    slot.command.set_order_type(v1::LIMIT);
    slot.command.set_price_ticks(flow_limits().price_min);
    slot.command.set_quantity_lots(0);  // refused by the book, so that no number of them fills it
    slot.context = std::make_unique<grpc::ClientContext>();
    slot.context->set_deadline(std::chrono::system_clock::now() + kDeadline);
    stub_.async()->Submit(slot.context.get(), &slot.command, &slot.result, [this, &slot](const grpc::Status& status) {
      done(status.ok() && slot.result.sequence() != 0);
      next(slot);
    });
  }

  void done(bool ok) {
    const std::lock_guard lock(mutex_);
    ++answered_;
    if (!ok) ++failed_;
    if (answered_ == calls_) finished_.notify_one();
  }

  v1::Engine::Stub& stub_;
  const u64 calls_;
  std::vector<Slot> slots_;
  std::mutex mutex_;
  std::condition_variable finished_;
  u64 started_ = 0;
  u64 answered_ = 0;
  u64 failed_ = 0;
};

v1::StatusReply ask_status(v1::Engine::Stub& stub) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kDeadline);
  v1::StatusReply reply;
  const grpc::Status status = stub.Status(&context, {}, &reply);
  if (!status.ok()) throw std::runtime_error("Status failed: " + status.error_message());
  return reply;
}

struct Measured {
  double stream_per_s;
  double engine_ns;  // CPU time per order
  double client_ns;
  double unary_per_s;
  bool agrees;
};

// A fresh engine with its journal below `directory`.
Measured measure(const std::string& directory, const std::vector<Command>& commands, const Arguments& arguments) {
  EngineProcess engine(arguments.engine, directory, arguments.orders + arguments.unary);
  grpc::ChannelArguments channel_arguments;
  channel_arguments.SetMaxReceiveMessageSize(64 << 20);
  const auto channel = grpc::CreateCustomChannel(engine.address(), grpc::InsecureChannelCredentials(), channel_arguments);
  grpc::GenericStub generic(channel);
  v1::Engine::Stub stub(channel);
  const auto orders = static_cast<double>(arguments.orders);

  Measured measured{};
  const double engine_before_s = engine.cpu_seconds();
  const u64 client_before_ns = nanoseconds(CLOCK_PROCESS_CPUTIME_ID);
  measured.stream_per_s = stream_per_s(generic, commands, arguments);
  measured.engine_ns = (engine.cpu_seconds() - engine_before_s) * 1e9 / orders;
  measured.client_ns = static_cast<double>(nanoseconds(CLOCK_PROCESS_CPUTIME_ID) - client_before_ns) / orders;
  const v1::StatusReply status = ask_status(stub);
  measured.agrees = status.trade_hash() == trade_hash_of(commands) && status.synced_sequence() == arguments.orders;
  measured.unary_per_s = UnaryLoad(stub, arguments.unary, arguments.unary_in_flight).run();
  return measured;
}

double median(const std::vector<Measured>& runs, double Measured::*figure) {
  std::vector<double> values;
  for (const Measured& run : runs) values.push_back(run.*figure);
  std::ranges::sort(values);
  return values[values.size() / 2];
}

int run(const Arguments& arguments) {
  const std::vector<Command> commands = flow_commands(arguments.orders);
  std::vector<Measured> in_memory, on_disk;
  for (u64 turn = 0; turn < arguments.repetitions; ++turn) {
    in_memory.push_back(measure("/dev/shm", commands, arguments));
    on_disk.push_back(measure(arguments.directory, commands, arguments));
  }
  const auto agrees = [](const Measured& run) { return run.agrees; };
  const bool all_agree = std::ranges::all_of(in_memory, agrees) && std::ranges::all_of(on_disk, agrees);
  std::printf(R"({"cpp_stream_orders_per_s": %.0f, "cpp_stream_on_disk_orders_per_s": %.0f, "unary_per_s": %.0f, )"
              R"("unary_on_disk_per_s": %.0f, "engine_cpu_ns_per_order": %.0f, "client_cpu_ns_per_order": %.0f, )"
              R"("orders": %llu, "orders_per_message": %llu, "messages_in_flight": %llu, "repetitions": %llu, )"
              R"("agrees_with_replay": %s})"
              "\n",
              median(in_memory, &Measured::stream_per_s), median(on_disk, &Measured::stream_per_s),
              median(in_memory, &Measured::unary_per_s), median(on_disk, &Measured::unary_per_s),
              median(in_memory, &Measured::engine_ns), median(in_memory, &Measured::client_ns),
              static_cast<unsigned long long>(arguments.orders), static_cast<unsigned long long>(arguments.per_message),
              static_cast<unsigned long long>(arguments.in_flight),
              static_cast<unsigned long long>(arguments.repetitions), all_agree ? "true" : "false");
  return all_agree ? 0 : 3;
}

bool parse(int argc, char** argv, Arguments& arguments) {
  arguments.engine = (std::filesystem::path(argv[0]).parent_path() / "engine").string();
  arguments.directory = std::filesystem::temp_directory_path().string();
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string flag = argv[i];
    const std::string value = argv[i + 1];
    if (flag == "--engine") arguments.engine = value;
    else if (flag == "--directory") arguments.directory = value;
    else if (flag == "--orders") arguments.orders = std::stoull(value);
    else if (flag == "--unary") arguments.unary = std::stoull(value);
    else if (flag == "--per-message") arguments.per_message = std::stoull(value);
    else if (flag == "--in-flight") arguments.in_flight = std::stoull(value);
    else if (flag == "--repetitions") arguments.repetitions = std::stoull(value);
    else return false;
  }
  const std::array counts{arguments.orders, arguments.unary, arguments.per_message, arguments.in_flight,
                          arguments.repetitions};
  return argc % 2 == 1 && std::ranges::all_of(counts, [](u64 count) { return count > 0; });
}

}  // namespace
}  // namespace lab::engine::bench

int main(int argc, char** argv) {
  lab::engine::bench::Arguments arguments;
  if (!lab::engine::bench::parse(argc, argv, arguments)) {
    std::fprintf(stderr, "usage: engine-grpc-bench [--engine PATH] [--directory DIR] [--orders N] [--unary N]\n"
                         "                         [--per-message N] [--in-flight N] [--repetitions N]\n");
    return 2;
  }
  try {
    return lab::engine::bench::run(arguments);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "engine-grpc-bench: %s\n", error.what());
    return 1;
  }
}
