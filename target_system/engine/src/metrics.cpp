#include "engine/metrics.hpp"

#include <string>

#include "engine/clock.hpp"
#include "engine/names.hpp"

namespace lab::engine {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

const prometheus::Histogram::BucketBoundaries kMatchBuckets{5e-8, 1e-7, 2e-7, 4e-7, 8e-7, 1.6e-6, 3.2e-6, 6.4e-6,
                                                            1.28e-5, 2.56e-5, 5.12e-5, 1e-4, 1e-3, 1e-2};
const prometheus::Histogram::BucketBoundaries kWaitBuckets{
    1e-6, 2e-6, 4e-6, 8e-6, 1.6e-5, 3.2e-5, 6.4e-5, 1e-4,   1.5e-4, 2e-4,   3e-4,   4e-4,   6e-4, 8e-4,
    1e-3, 2e-3, 3e-3, 4e-3, 6e-3,   8e-3,   1e-2,   1.5e-2, 2e-2,   3e-2,   6e-2,   1e-1,   0.2,  0.5, 1, 2, 5};
const prometheus::Histogram::BucketBoundaries kBatchBuckets{1,   2,   4,    8,    16,   32,   64,   128,
                                                            256, 512, 1024, 2048, 4096, 8192, 16384, 65536};

prometheus::Histogram& histogram(prometheus::Registry& registry, const char* name, const char* help,
                                 const prometheus::Histogram::BucketBoundaries& buckets) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry).Add({}, buckets);
}

MetricFamily family(const char* name, const char* help, MetricType type) { return {name, help, type, {}}; }

void add(MetricFamily& family, Labels labels, double value) {
  ClientMetric metric;
  metric.label = std::move(labels);
  if (family.type == MetricType::Counter) {
    metric.counter.value = value;
  } else {
    metric.gauge.value = value;
  }
  family.metric.push_back(std::move(metric));
}

MetricFamily single(const char* name, const char* help, MetricType type, double value) {
  MetricFamily result = family(name, help, type);
  add(result, {}, value);
  return result;
}

MetricFamily counter(const char* name, const char* help, u64 value) {
  return single(name, help, MetricType::Counter, static_cast<double>(value));
}

MetricFamily gauge(const char* name, const char* help, u64 value) {
  return single(name, help, MetricType::Gauge, static_cast<double>(value));
}

MetricFamily commands_family(const Counts& counts) {
  auto commands = family("engine_commands_total", "Commands sequenced, by kind and outcome.", MetricType::Counter);
  for (std::size_t kind = 1; kind < kKinds; ++kind) {
    for (std::size_t outcome = 1; outcome + 1 < kOutcomes; ++outcome) {
      const u64 value = counts.commands[kind][outcome].get();
      if (value == 0 && kind > 2) continue;  // the pairs that never occur would be most of the page
      add(commands, {{"kind", name_of(static_cast<Kind>(kind))}, {"outcome", name_of(static_cast<Outcome>(outcome))}},
          static_cast<double>(value));
    }
  }
  return commands;
}

MetricFamily rejects_family(const Counts& counts) {
  auto rejects = family("engine_rejects_total", "Commands rejected or not sequenced, by reason.", MetricType::Counter);
  for (std::size_t reason = 1; reason < kReasons; ++reason) {
    u64 value = counts.rejects[reason].get();
    if (static_cast<Reason>(reason) == Reason::kQueueFull) value += counts.refused_queue_full;
    if (static_cast<Reason>(reason) == Reason::kShuttingDown) value += counts.refused_shutting_down;
    add(rejects, {{"reason", name_of(static_cast<Reason>(reason))}}, static_cast<double>(value));
  }
  return rejects;
}

MetricFamily cpu_family(const ThreadTimes& times) {
  auto cpu = family("engine_thread_cpu_seconds_total", "CPU time of the engine's own threads.", MetricType::Counter);
  add(cpu, {{"thread", "book"}}, times.book_s);
  add(cpu, {{"thread", "sync"}}, times.sync_s);
  add(cpu, {{"thread", "feed"}}, times.feed_s);
  add(cpu, {{"thread", "all"}}, static_cast<double>(nanoseconds(CLOCK_PROCESS_CPUTIME_ID)) / 1e9);
  return cpu;
}

}  // namespace

Histograms::Histograms(prometheus::Registry& registry)
    : queue_wait_s(histogram(registry, "engine_queue_wait_seconds",
                             "From a message's arrival to the matching of its first command.", kWaitBuckets)),
      match_duration_s(histogram(registry, "engine_match_duration_seconds",
                                 "Identity, matching and encoding of one command, mean of its message.",
                                 kMatchBuckets)),
      sync_duration_s(histogram(registry, "engine_sync_duration_seconds",
                                "Write and fdatasync of one group of journal records.", kWaitBuckets)),
      sync_batch_records(
          histogram(registry, "engine_sync_batch_records", "Journal records in one sync.", kBatchBuckets)) {}

std::vector<MetricFamily> Metrics::Collect() const {
  std::vector<MetricFamily> all = registry_.Collect();
  all.push_back(commands_family(counts));
  all.push_back(rejects_family(counts));
  all.push_back(cpu_family(thread_times_ ? thread_times_() : ThreadTimes{}));
  all.push_back(counter("engine_repeats_total", "Commands answered with their first result.", counts.repeats.get()));
  all.push_back(counter("engine_trades_total", "Trades.", counts.trades.get()));
  all.push_back(counter("engine_traded_lots_total", "Quantity traded.", counts.traded_lots.get()));
  all.push_back(gauge("engine_sequence", "Sequence number of the last command matched.", counts.sequence.get()));
  all.push_back(gauge("engine_synced_sequence", "Sequence number up to which the journal is on disk.",
                      counts.synced_sequence.get()));
  all.push_back(gauge("engine_queue_depth_commands", "Commands that wait to be matched.", counts.queue_depth));
  all.push_back(gauge("engine_queue_capacity_commands", "Commands that may wait.", counts.queue_capacity));
  all.push_back(gauge("engine_resting_orders", "Orders in all books.", counts.resting_orders.get()));
  all.push_back(gauge("engine_resting_orders_max", "Orders that all books can hold.", counts.orders_capacity));
  all.push_back(gauge("engine_ids", "Client order ids known.", counts.ids_used.get()));
  all.push_back(gauge("engine_ids_max", "Client order ids that can be known.", counts.ids_capacity));
  all.push_back(gauge("engine_journal_bytes", "Size of the journal on disk.", counts.journal_bytes.get()));
  all.push_back(gauge("engine_feed_subscribers", "Market data streams.", counts.feed_subscribers.get()));
  all.push_back(counter("engine_feed_updates_total", "Changes told to subscribers.", counts.feed_updates.get()));
  all.push_back(counter("engine_feed_cut_off_total", "Subscribers that did not keep up.", counts.feed_cut_off));
  all.push_back(gauge("engine_feed_backlog_bytes", "Records that wait to be told.", counts.feed_backlog_bytes));
  all.push_back(gauge("engine_feed_backlog_max_bytes", "Records that may wait.", counts.feed_backlog_capacity_bytes));
  all.push_back(gauge("engine_streams", "Open command streams.", static_cast<u64>(counts.streams.load())));
  return all;
}

}  // namespace lab::engine
