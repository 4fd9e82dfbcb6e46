// Market data: from synced records to what subscribers are sent.
//
//   sync thread   take() → records of a group, its buffer exchanged for an empty one
//   feed thread   follows them in a BookImage of its own, encodes each symbol's changes once, gives them to all
//
// Neither the books nor the journal wait for it: what it cannot keep up with is dropped, and its subscribers with it. While
// nobody subscribes it costs nothing; the first subscriber makes it ask the book thread once for all that rests.
#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/book_image.hpp"
#include "engine/memory.hpp"
#include "engine/metrics.hpp"
#include "engine/pipeline.hpp"
#include "market_data.pb.h"

namespace lab::engine {

namespace market = market_data::v1;

// What happened since the last round, as parts of an `Events` message, each of one symbol.
struct Part {
  Symbol symbol;
  grpc::Slice bytes;
};
struct Round {
  grpc::Slice head;
  std::vector<Part> parts;
};

// Who is told. All but the destructor is called by the feed thread; nothing may block.
class Subscriber {
 public:
  virtual ~Subscriber() = default;
  // False: it is gone, or was cut off; then it is not called again.
  virtual bool give(const Round& round) = 0;
  virtual void end(const grpc::Status& why) = 0;
};

class Feed {
 public:
  Feed(Pipeline& pipeline, const Limits& limits, Metrics& metrics);
  ~Feed();
  Feed(const Feed&) = delete;
  Feed& operator=(const Feed&) = delete;

  // It gets snapshots first. False once closed.
  bool subscribe(std::shared_ptr<Subscriber> subscriber);
  // Ends all subscribers.
  void close(const grpc::Status& why);
  double cpu_s() const;

 private:
  // What rests at one moment, copied by the book thread into memory that was taken before.
  struct Seed {
    Seed(const Limits& limits, u64 when)
        : orders(limits.orders), halted(limits.symbols), last_prices(limits.symbols), generation(when) {}
    void copy(const State& state);

    PageArray<RestingOrder> orders;
    std::size_t count = 0;
    std::vector<bool> halted;
    std::vector<Ticks> last_prices;
    Sequence sequence;
    u64 generation;  // of the listening that asked for it
  };

  // What other threads hand over; they keep it alive.
  struct Inbox final : RecordSink {
    explicit Inbox(Metrics& owner) : metrics(owner) {}
    void take(Buffer& records) override;
    void seeded(std::unique_ptr<Seed> copied);

    Metrics& metrics;
    std::mutex mutex;  // guards what follows
    std::condition_variable filled;
    std::vector<Buffer> records;
    std::vector<Buffer> spare;
    std::size_t bytes = 0;
    bool listening = false;
    bool overrun = false;
    u64 generation = 0;
    std::unique_ptr<Seed> seed;
    std::vector<std::shared_ptr<Subscriber>> newcomers;
    bool closing = false;
  };

  struct Work {
    std::vector<Buffer> records;
    std::unique_ptr<Seed> seed;
    std::vector<std::shared_ptr<Subscriber>> newcomers;
    bool overrun = false;
    bool closing = false;
  };

  void run();
  Work wait();
  void listen();
  void rest();
  void start_image(const Seed& seed);
  void follow(const Buffer& records);
  void tell_all();
  void welcome();
  void end_all(const grpc::Status& why);
  grpc::Slice head() const;
  Part snapshot_of(Symbol symbol) const;

  Pipeline& pipeline_;
  const Limits limits_;
  Metrics& metrics_;
  const std::shared_ptr<Inbox> inbox_;

  // The feed thread's own.
  BookImage image_;
  bool listening_ = false;
  bool asked_ = false;
  bool seeded_ = false;
  std::vector<std::shared_ptr<Subscriber>> told_;
  std::vector<std::shared_ptr<Subscriber>> waiting_;  // for their snapshots
  std::vector<market::Events> changed_;               // by symbol, of this round
  StoredResult result_;
  std::chrono::steady_clock::time_point told_at_;
  grpc::Status closed_with_;

  std::thread thread_;
};

}  // namespace lab::engine
