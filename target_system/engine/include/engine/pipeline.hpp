// From an arrived message to its answer: a bounded queue, the thread that owns the books, the thread that owns the disk.
//
//   any thread  submit() → queue → book thread: identity, matching, record into the open group
//                                → sync thread: takes the open group whole, writes and syncs it, answers its messages
//
// While one group is being synced the next one fills. A message's records are always in one group.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "engine/journal.hpp"
#include "engine/message.hpp"
#include "engine/metrics.hpp"
#include "engine/state.hpp"
#include "engine/task_queue.hpp"

namespace lab::engine {

class Pipeline : private Archive {
 public:
  // `journal` is open for append at the end of what `state` has seen.
  Pipeline(State& state, JournalWriter& journal, Metrics& metrics, u64 queue_capacity);
  ~Pipeline() override;

  // kNone, or why the message was not taken: then it is still the caller's.
  Reason submit(std::unique_ptr<Message>& message);
  // Runs `query` on the book thread, between two messages. False if too many wait.
  bool ask(std::function<void(const State&)> query);

  // The results of synced records, as a ResultBatch.
  void results(Sequence first, Sequence last, Buffer& out) const;
  Sequence synced() const { return Sequence(synced_.load(std::memory_order_acquire)); }

  // From the next group on.
  void set_sink(std::shared_ptr<RecordSink> sink);

  // From now on submit() refuses. True if all that was taken has been answered before the deadline.
  bool drain(std::chrono::milliseconds deadline);

  const DigestKey& digest_key() const { return state_.key; }
  ThreadTimes thread_times() const;

 private:
  void run_books();
  void run_sync();
  void process(std::unique_ptr<Message> message);
  void execute(const Command& command, const Digest& digest, Pending& pending);
  void write_group(Group& group);
  void read_payload(Sequence sequence, Buffer& out) const override;

  State& state_;
  JournalWriter& journal_;
  Metrics& metrics_;
  TaskQueue<State> queue_;

  mutable std::mutex mutex_;  // guards open_, sink_ and stopping_
  std::condition_variable group_filled_;
  std::condition_variable group_taken_;
  Group open_;
  std::shared_ptr<RecordSink> sink_;
  bool stopping_ = false;

  std::atomic<u64> synced_;
  std::atomic<u64> in_flight_{0};  // messages taken and not answered
  std::thread books_;
  std::thread sync_;
};

}  // namespace lab::engine
