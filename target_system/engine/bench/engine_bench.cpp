// engine-bench: events per second on the reference flow, beside the naive engine in the same run; one JSON object.
//
// The flow is made beforehand and each engine is built before its clock starts. Naive and real take turns, so that a slow
// moment of the machine meets both; ratio is the median over the turns. Latencies and the run with self-trade prevention
// are passes of their own.

#include <sched.h>
#include <x86intrin.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "contenders.hpp"
#include "engine/clock.hpp"
#include "journal_bench.hpp"

namespace lab::engine::bench {
namespace {

struct Arguments {
  u64 events = 2'000'000;
  u64 repetitions = 15;
  bool hash = false;
  std::string records;  // write the flow there and stop
};

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

struct Timed {
  double ns_per_event;
  u64 trade_hash;
};

template <class Engine>
[[gnu::noinline]] Timed timed(const std::vector<FlowRecord>& flow) {
  const auto engine = std::make_unique<Engine>(flow.size());
  const u64 started_ns = now_ns();
  for (const FlowRecord& record : flow) engine->handle(record);
  const u64 duration_ns = now_ns() - started_ns;
  return {static_cast<double>(duration_ns) / static_cast<double>(flow.size()), engine->tape().trade_hash};
}

struct Latency {
  double p50_ns;
  double p99_9_ns;
  double max_ns;
};

// Time from one event's end to the next one's, by the processor's counter; so each includes one reading of it.
template <class Engine>
[[gnu::noinline]] Latency latency(const std::vector<FlowRecord>& flow) {
  const auto engine = std::make_unique<Engine>(flow.size());
  std::vector<u32> ticks(flow.size());
  const u64 started_ns = now_ns();
  const u64 first = __rdtsc();
  u64 before = first;
  for (std::size_t i = 0; i < flow.size(); ++i) {
    engine->handle(flow[i]);
    const u64 after = __rdtsc();
    ticks[i] = static_cast<u32>(std::min<u64>(after - before, 0xFFFF'FFFF));
    before = after;
  }
  const double ns_per_tick = static_cast<double>(now_ns() - started_ns) / static_cast<double>(before - first);
  std::ranges::sort(ticks);
  const auto at = [&](double share) {
    return ns_per_tick * ticks[static_cast<std::size_t>(share * static_cast<double>(ticks.size() - 1))];
  };
  return {at(0.5), at(0.999), at(1.0)};
}

struct Figures {
  double ns;
  double naive_ns;
  double ratio;
  double self_trade_ns;
  Latency latency;
  u64 trade_hash;
  bool agree;  // naive and real printed the same tape in every turn
};

template <class Index, class Places, class Ids>
Figures measure(const std::vector<FlowRecord>& flow, u64 repetitions) {
  using Engine = Contender<Index, Ids>;
  std::vector<double> real, naive, ratio, self_trade, p50, p99_9, worst;
  Figures figures{};
  figures.agree = true;
  for (u64 turn = 0; turn < repetitions; ++turn) {
    const Timed of_naive = timed<NaiveContender<Places, Ids>>(flow);
    const Timed of_real = timed<Engine>(flow);
    naive.push_back(of_naive.ns_per_event);
    real.push_back(of_real.ns_per_event);
    ratio.push_back(of_naive.ns_per_event / of_real.ns_per_event);
    self_trade.push_back(timed<Contender<Index, Ids, SelfTrade::kCancelOldest>>(flow).ns_per_event);
    const Latency of_events = latency<Engine>(flow);
    p50.push_back(of_events.p50_ns);
    p99_9.push_back(of_events.p99_9_ns);
    worst.push_back(of_events.max_ns);
    figures.agree = figures.agree && of_naive.trade_hash == of_real.trade_hash;
  }
  figures.ns = median(real);
  figures.naive_ns = median(naive);
  figures.ratio = median(ratio);
  figures.self_trade_ns = median(self_trade);
  figures.latency = {median(p50), median(p99_9), median(worst)};
  figures.trade_hash = timed<Contender<Index, OwnIds>>(flow).trade_hash;
  return figures;
}

void pin_to_this_core() {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(::sched_getcpu()), &set);
  ::sched_setaffinity(0, sizeof set, &set);  // where the system refuses, the figures are only noisier
}

bool parse(int argc, char** argv, Arguments& arguments) {
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string flag = argv[i];
    const std::string value = argv[i + 1];
    if (flag == "--events") arguments.events = std::stoull(value);
    else if (flag == "--repetitions") arguments.repetitions = std::stoull(value);
    else if (flag == "--id-index" && (value == "dense" || value == "hash")) arguments.hash = value == "hash";
    else if (flag == "--records") arguments.records = value;
    else return false;
  }
  return argc % 2 == 1 && arguments.events > 0 && arguments.repetitions > 0;
}

int write_records(const std::vector<FlowRecord>& flow, const std::string& path) {
  std::FILE* const file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) return 1;
  const bool whole = std::fwrite(flow.data(), sizeof(FlowRecord), flow.size(), file) == flow.size();
  return std::fclose(file) == 0 && whole ? 0 : 1;
}

int run(const Arguments& arguments) {
  pin_to_this_core();
  const std::vector<FlowRecord> flow = make_flow(arguments.events);
  if (!arguments.records.empty()) return write_records(flow, arguments.records);
  const Figures figures = arguments.hash ? measure<HashIds, HashedPlaces, SpreadIds>(flow, arguments.repetitions)
                                         : measure<DenseIds, DensePlaces, OwnIds>(flow, arguments.repetitions);
  const double replay_per_s = replay_events_per_s(arguments.events);
  std::printf(R"({"events_per_s": %.0f, "ns_per_event": %.2f, "naive_events_per_s": %.0f, "ratio": %.3f, )"
              R"("trade_hash": "%016llx", "n": %llu, "id_index": "%s", "agrees_with_naive": %s, )"
              R"("latency_ns": {"p50": %.0f, "p99_9": %.0f, "max": %.0f}, "stp_on_events_per_s": %.0f, )"
              R"("replay_events_per_s": %.0f, "repetitions": %llu})"
              "\n",
              1e9 / figures.ns, figures.ns, 1e9 / figures.naive_ns, figures.ratio,
              static_cast<unsigned long long>(figures.trade_hash), static_cast<unsigned long long>(arguments.events),
              arguments.hash ? "hash" : "dense", figures.agree ? "true" : "false", figures.latency.p50_ns,
              figures.latency.p99_9_ns, figures.latency.max_ns, 1e9 / figures.self_trade_ns, replay_per_s,
              static_cast<unsigned long long>(arguments.repetitions));
  return figures.agree ? 0 : 3;
}

}  // namespace
}  // namespace lab::engine::bench

int main(int argc, char** argv) {
  lab::engine::bench::Arguments arguments;
  if (!lab::engine::bench::parse(argc, argv, arguments)) {
    std::fprintf(stderr, "usage: engine-bench [--events N] [--repetitions N] [--id-index dense|hash] [--records FILE]\n");
    return 2;
  }
  return lab::engine::bench::run(arguments);
}
