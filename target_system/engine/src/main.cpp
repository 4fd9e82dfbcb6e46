// The engine server: recovers its journal, answers over gRPC, and stops cleanly on SIGTERM.
// Exit codes: 0 stopped as asked, 1 the system failed it, 2 flags that cannot be, 3 a damaged journal.

#include <prometheus/exposer.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <cstdio>
#include <cstring>

#include "engine/clock.hpp"
#include "engine/feed.hpp"
#include "engine/log.hpp"
#include "engine/options.hpp"
#include "engine/pipeline.hpp"
#include "engine/recovery.hpp"
#include "engine/service.hpp"
#include "engine/snapshot.hpp"

namespace lab::engine {
namespace {

using std::chrono::milliseconds;

constexpr int kInternalError = 1;
constexpr int kBadInput = 2;
constexpr int kDamaged = 3;
constexpr milliseconds kDrainDeadline{5000};
constexpr milliseconds kShutdownDeadline{2000};

sigset_t stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

// Opens the journal for append behind what `state` took from it.
void open_journal(const Options& options, State& state, JournalWriter& journal) {
  if (!journal_exists(options.journal)) {
    journal.create(options.header);
    return;
  }
  const u64 started_ns = now_ns();
  const Recovery recovery = recover(options.journal, options.header, state);
  if (recovery.torn_bytes > 0 || recovery.missing_bytes > 0) {
    log(recovery.missing_bytes > 0 ? Level::kError : Level::kWarning, "journal_torn_tail_cut",
        {{"offset", recovery.end},
         {"bytes_cut", recovery.torn_bytes},
         {"synced_bytes_missing", recovery.missing_bytes},
         {"last_sequence", state.last.value}});
  }
  if (recovery.snapshot_ignored) {
    log(Level::kWarning, "snapshot_ignored", {{"path", snapshot_path(options.journal)}});
    std::filesystem::remove(snapshot_path(options.journal));  // its place in the journal may be taken by another command
  }
  journal.open_at(recovery.end);
  log(Level::kInfo, "replayed",
      {{"commands", recovery.commands},
       {"from_snapshot", recovery.snapshot},
       {"last_sequence", state.last.value},
       {"last_trade_id", state.matcher.market().tape().last_trade_id},
       {"resting_orders", state.matcher.market().resting_orders()},
       {"duration_ns", now_ns() - started_ns}});
}

int serve(const Options& options, State& state, JournalWriter& journal) {
  const auto metrics = std::make_shared<Metrics>();
  Pipeline pipeline(state, journal, *metrics, options.queue);
  Feed feed(pipeline, options.header.limits, *metrics);
  metrics->set_thread_times([&pipeline, &feed] {
    ThreadTimes times = pipeline.thread_times();
    times.feed_s = feed.cpu_s();
    return times;
  });
  Service service(pipeline, feed, *metrics, options);

  const int port = service.start(options.listen);
  if (port == 0) {
    log(Level::kError, "listen_failed", {{"address", options.listen}, {"next", "give --listen a free port"}});
    return kBadInput;
  }
  prometheus::Exposer exposer(options.metrics, 1);
  exposer.RegisterCollectable(metrics);
  log(Level::kInfo, "engine_started",
      {{"port", static_cast<u64>(port)},
       {"metrics_port", static_cast<u64>(exposer.GetListeningPorts().front())},
       {"journal", options.journal},
       {"last_sequence", pipeline.synced().value}});

  const sigset_t signals = stop_signals();
  int signal = 0;
  ::sigwait(&signals, &signal);
  log(Level::kInfo, "stopping", {{"signal", ::strsignal(signal)}});
  const bool drained = pipeline.drain(kDrainDeadline);
  exposer.RemoveCollectable(metrics);  // it reads the threads' clocks
  service.stop(kShutdownDeadline);
  log(drained ? Level::kInfo : Level::kError, "stopped",
      {{"synced_sequence", pipeline.synced().value}, {"all_answered", drained ? "yes" : "no"}});
  if (!drained) std::_Exit(kInternalError);  // a thread hangs in the disk: nothing can be joined
  return 0;
}

int run(std::span<char* const> arguments) {
  Options options;
  if (const auto faults = parse_options(arguments, options); !faults.empty()) {
    for (const std::string& fault : faults) std::fprintf(stderr, "engine: %s\n", fault.c_str());
    std::fprintf(stderr, "%s", kUsage);
    return kBadInput;
  }
  const sigset_t signals = stop_signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // before any thread, so that only sigwait sees them
  try {
    State state(options.header.limits, options.ids_max);
    JournalWriter journal(options.journal);
    open_journal(options, state, journal);
    const int code = serve(options, state, journal);
    if (code == 0) write_snapshot(options.journal, take_snapshot(state, journal.end()));
    return code;
  } catch (const JournalError& error) {
    log(Level::kError, "journal_damaged", {{"error", error.what()}});
    return kDamaged;
  } catch (const MismatchError& error) {
    log(Level::kError, "journal_mismatch", {{"error", error.what()}});
    return kBadInput;
  } catch (const std::exception& error) {
    log(Level::kError, "start_failed", {{"error", error.what()}});
    return kInternalError;
  }
}

}  // namespace
}  // namespace lab::engine

int main(int argc, char** argv) {
  return lab::engine::run({argv + 1, argv + argc});
}
