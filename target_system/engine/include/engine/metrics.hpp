// What /metrics says. Counters are plain numbers that their one writer increments; prometheus-cpp reads them when scraped.
#pragma once

#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <array>
#include <atomic>
#include <functional>
#include <memory>

#include "engine/types.hpp"

namespace lab::engine {

// A number with one writer and any readers.
class Count {
 public:
  void add(u64 more) { value_.store(value_.load(std::memory_order_relaxed) + more, std::memory_order_relaxed); }
  void set(u64 value) { value_.store(value, std::memory_order_relaxed); }
  u64 get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<u64> value_{0};
};

struct Counts {
  // The book thread writes these.
  std::array<std::array<Count, kOutcomes>, kKinds> commands;
  std::array<Count, kReasons> rejects;
  Count repeats;
  Count sequence;
  Count resting_orders;
  Count trades;
  Count traded_lots;
  Count ids_used;
  // The sync thread writes these.
  Count synced_sequence;
  Count synced_trade_id;
  Count journal_bytes;
  // The gRPC threads.
  std::atomic<u64> refused_queue_full{0};
  std::atomic<u64> refused_shutting_down{0};
  std::atomic<i64> streams{0};
  std::atomic<u64> queue_depth{0};
  // Market data; the feed thread writes what is a Count.
  Count feed_subscribers;
  Count feed_updates;
  std::atomic<u64> feed_backlog_bytes{0};
  std::atomic<u64> feed_cut_off{0};
  // Fixed at start.
  u64 queue_capacity = 0;
  u64 orders_capacity = 0;
  u64 ids_capacity = 0;
  u64 feed_backlog_capacity_bytes = 0;
};

struct Histograms {
  explicit Histograms(prometheus::Registry& registry);

  prometheus::Histogram& queue_wait_s;
  prometheus::Histogram& match_duration_s;
  prometheus::Histogram& sync_duration_s;
  prometheus::Histogram& sync_batch_records;
};

struct ThreadTimes {
  double book_s = 0;
  double sync_s = 0;
  double feed_s = 0;
};

class Metrics : public prometheus::Collectable {
 public:
  Metrics() : histograms(registry_) {}

  std::vector<prometheus::MetricFamily> Collect() const override;
  // Set before the first scrape.
  void set_thread_times(std::function<ThreadTimes()> read) { thread_times_ = std::move(read); }

  Counts counts;

 private:
  prometheus::Registry registry_;
  std::function<ThreadTimes()> thread_times_;

 public:
  Histograms histograms;
};

}  // namespace lab::engine
