// What waits for the book thread: messages, bounded by the commands in them, and questions about the books.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "engine/message.hpp"

namespace lab::engine {

template <class State>
struct Task {
  std::unique_ptr<Message> message;  // or else
  std::function<void(const State&)> query;
};

template <class State>
class TaskQueue {
 public:
  static constexpr std::size_t kQueriesMax = 256;

  // `depth`: where the number of waiting commands is kept, for the metrics.
  TaskQueue(u64 capacity, std::atomic<u64>& depth) : capacity_(capacity), depth_(depth) {}

  Reason push(std::unique_ptr<Message>& message) {
    const std::lock_guard lock(mutex_);
    if (closed_) return Reason::kShuttingDown;
    const u64 count = message->commands.size();
    if (depth_ + count > capacity_) return Reason::kQueueFull;
    depth_ += count;
    tasks_.push_back({std::move(message), nullptr});
    wake();
    return Reason::kNone;
  }

  bool push(std::function<void(const State&)> query) {
    const std::lock_guard lock(mutex_);
    if (stopped_ || queries_ == kQueriesMax) return false;
    ++queries_;
    tasks_.push_back({nullptr, std::move(query)});
    wake();
    return true;
  }

  // Waits for tasks and swaps them into `tasks`, which must be empty. False once stopped and empty.
  bool pop_all(std::vector<Task<State>>& tasks) {
    std::unique_lock lock(mutex_);
    waiting_ = true;
    filled_.wait(lock, [this] { return !tasks_.empty() || stopped_; });
    waiting_ = false;
    tasks.swap(tasks_);
    queries_ = 0;
    return !tasks.empty();
  }

  // Of a message that was popped, when its matching begins.
  void left(u64 commands) { depth_ -= commands; }

  // No more messages; what waits is still given out, and questions are still taken.
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }

  void stop() {
    const std::lock_guard lock(mutex_);
    closed_ = stopped_ = true;
    filled_.notify_one();
  }

 private:
  void wake() {
    if (waiting_) filled_.notify_one();
  }

  const u64 capacity_;
  std::atomic<u64>& depth_;
  std::mutex mutex_;
  std::condition_variable filled_;
  std::vector<Task<State>> tasks_;
  std::size_t queries_ = 0;
  bool waiting_ = false;
  bool closed_ = false;
  bool stopped_ = false;
};

}  // namespace lab::engine
