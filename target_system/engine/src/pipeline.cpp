#include "engine/pipeline.hpp"

#include <pthread.h>

#include <chrono>
#include <cstdlib>
#include <system_error>

#include "engine/clock.hpp"
#include "engine/crash_point.hpp"
#include "engine/log.hpp"

namespace lab::engine {
namespace {

// A group larger than this is a disk that does not keep up: the books wait for it, then the queue fills, then it refuses.
constexpr std::size_t kGroupBytesMax = std::size_t{64} << 20;
// The sync thread is woken when the queue is empty, or from so many records on.
constexpr u32 kWakeRecords = 1024;

u32 clamp_ns(u64 duration) { return static_cast<u32>(std::min<u64>(duration, 0xFFFF'FFFF)); }

double seconds(u64 nanoseconds) { return static_cast<double>(nanoseconds) / 1e9; }

// Steps 3 and 4 of decision 1.
CrashPoint after_matching("matched");
CrashPoint after_sync("synced");

// After a failed write or sync nobody knows what is on disk. Dying here is as safe as a crash: nothing of this group was
// promised, and the next start reads what is there.
[[noreturn]] void die_of_disk(const std::system_error& error) {
  log(Level::kError, "journal_write_failed",
      {{"error", error.what()}, {"next", "free the disk or repair it, then start the engine again"}});
  std::_Exit(1);
}

}  // namespace

Pipeline::Pipeline(State& state, JournalWriter& journal, Metrics& metrics, u64 queue_capacity)
    : state_(state),
      journal_(journal),
      metrics_(metrics),
      queue_(queue_capacity, metrics.counts.queue_depth),
      synced_(state.last.value) {
  Counts& counts = metrics_.counts;
  counts.queue_capacity = queue_capacity;
  counts.orders_capacity = state.matcher.market().limits().orders;
  counts.ids_capacity = state.identities.capacity();
  counts.ids_used.set(state.identities.used());
  counts.sequence.set(state.last.value);
  counts.synced_sequence.set(state.last.value);
  counts.synced_trade_id.set(state.matcher.market().tape().last_trade_id);
  counts.resting_orders.set(state.matcher.market().resting_orders());
  counts.journal_bytes.set(journal.end());
  open_.file_offset = journal.end();
  books_ = std::thread([this] { run_books(); });
  sync_ = std::thread([this] { run_sync(); });
  ::pthread_setname_np(books_.native_handle(), "engine-book");
  ::pthread_setname_np(sync_.native_handle(), "engine-sync");
}

Pipeline::~Pipeline() {
  queue_.stop();
  books_.join();
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  group_filled_.notify_one();
  sync_.join();
}

Reason Pipeline::submit(std::unique_ptr<Message>& message) {
  message->arrived_ns = now_ns();
  const u64 count = message->commands.size();
  ++in_flight_;
  const Reason refused = queue_.push(message);
  if (refused == Reason::kNone) return refused;
  --in_flight_;
  Counts& counts = metrics_.counts;
  (refused == Reason::kQueueFull ? counts.refused_queue_full : counts.refused_shutting_down) += count;
  return refused;
}

bool Pipeline::ask(std::function<void(const State&)> query) { return queue_.push(std::move(query)); }

void Pipeline::run_books() {
  std::vector<Task<State>> tasks;
  while (queue_.pop_all(tasks)) {
    for (Task<State>& task : tasks) {
      if (task.message) {
        process(std::move(task.message));
      } else {
        task.query(state_);
      }
    }
    group_filled_.notify_one();
    tasks.clear();
  }
}

void Pipeline::process(std::unique_ptr<Message> message) {
  const u64 count = message->commands.size();
  queue_.left(count);
  const bool gone = message->recipient->gone();
  message->pending.reserve(count);
  if (count > 1) {
    for (const Digest& digest : message->digests) state_.identities.prefetch(digest);
    for (const Command& command : message->commands) state_.matcher.market().prefetch(OrderId(command.order_id));
  }

  std::unique_lock lock(mutex_);
  group_taken_.wait(lock, [this] { return open_.bytes.size() < kGroupBytesMax; });
  const u64 started_ns = now_ns();
  for (std::size_t i = 0; i < count; ++i) {
    const Command& command = message->commands[i];
    Pending& pending = message->pending.emplace_back();
    pending.request = command.request;
    if (!gone) execute(command, message->digests[i], pending);
  }
  message->matched_ns = now_ns();
  const u64 matching_ns = message->matched_ns - started_ns;
  message->timing.queued_ns = clamp_ns(started_ns - message->arrived_ns);
  message->timing.matched_ns = clamp_ns(matching_ns);
  const u64 queued_ns = started_ns - message->arrived_ns;
  open_.messages.push_back(std::move(message));
  const bool large = open_.records >= kWakeRecords;
  lock.unlock();
  if (large) group_filled_.notify_one();

  metrics_.histograms.queue_wait_s.Observe(seconds(queued_ns));
  metrics_.histograms.match_duration_s.Observe(seconds(matching_ns) / static_cast<double>(count));
  metrics_.counts.sequence.set(state_.last.value);
  metrics_.counts.resting_orders.set(state_.matcher.market().resting_orders());
  metrics_.counts.ids_used.set(state_.identities.used());
}

void Pipeline::execute(const Command& command, const Digest& digest, Pending& pending) {
  Counts& counts = metrics_.counts;
  if (!is_well_formed(command)) {
    pending.refused = Reason::kMalformed;
    counts.rejects[static_cast<std::size_t>(Reason::kMalformed)].add(1);
    return;
  }
  u32* const known = state_.identities.find(digest);
  if (known == nullptr) {
    pending.refused = Reason::kIdLimitReached;
    counts.rejects[static_cast<std::size_t>(Reason::kIdLimitReached)].add(1);
    return;
  }
  if (*known != 0) {
    pending.repeats = Sequence(*known);
    counts.repeats.add(1);
    return;
  }
  const Sequence sequence(++state_.last.value);
  state_.identities.claim(known, sequence);
  const auto done = state_.matcher.execute(command, sequence, kRecordHeadBytes, open_.bytes);
  seal_record(open_.bytes.data() + done.offset - kRecordHeadBytes, open_.bytes.size() - done.offset);
  state_.offsets[sequence.value] = open_.file_offset + done.offset;
  ++open_.records;
  open_.last_sequence = sequence;
  open_.last_trade_id = state_.matcher.market().tape().last_trade_id;

  const Verdict& verdict = done.verdict;
  counts.commands[command.kind][static_cast<std::size_t>(verdict.outcome)].add(1);
  if (verdict.outcome == Outcome::kRejected) counts.rejects[static_cast<std::size_t>(verdict.reason)].add(1);
  counts.trades.add(state_.matcher.outcomes().fills().size());
  counts.traded_lots.add(verdict.filled.value);
  pending.offset = done.offset;
  pending.size = static_cast<u32>(done.result_size);
}

void Pipeline::run_sync() {
  Group group;
  while (true) {
    std::shared_ptr<RecordSink> sink;
    {
      std::unique_lock lock(mutex_);
      group_filled_.wait(lock, [this] { return !open_.messages.empty() || stopping_; });
      if (open_.messages.empty()) return;
      std::swap(group, open_);
      open_.bytes.clear();
      open_.messages.clear();
      open_.records = 0;
      open_.file_offset = group.file_offset + group.bytes.size();
      sink = sink_;
    }
    group_taken_.notify_one();
    if (group.records > 0) {
      after_matching.passed();
      write_group(group);
      after_sync.passed();
    }
    const u64 synced_ns = now_ns();
    for (const auto& message : group.messages) {
      message->timing.synced_ns = clamp_ns(synced_ns - message->matched_ns);
      message->timing.batch_size = group.records;
      message->recipient->answer(*message, group, *this);
    }
    for (const auto& message : group.messages) message->recipient->flush();
    if (sink && group.records > 0) sink->take(group.bytes);
    in_flight_ -= group.messages.size();
    group.messages.clear();
  }
}

void Pipeline::write_group(Group& group) {
  const u64 started_ns = now_ns();
  try {
    journal_.append(group.bytes.view());
    journal_.sync();
  } catch (const std::system_error& error) {
    die_of_disk(error);
  }
  metrics_.histograms.sync_duration_s.Observe(seconds(now_ns() - started_ns));
  metrics_.histograms.sync_batch_records.Observe(group.records);
  metrics_.counts.journal_bytes.set(journal_.end());
  metrics_.counts.synced_trade_id.set(group.last_trade_id);
  metrics_.counts.synced_sequence.set(group.last_sequence.value);
  synced_.store(group.last_sequence.value, std::memory_order_release);
}

void Pipeline::read_payload(Sequence sequence, Buffer& out) const {
  const u64 offset = state_.offsets[sequence.value];
  u8 head[kRecordHeadBytes];
  journal_.read(offset - kRecordHeadBytes, head, sizeof head);
  u32 size = 0;
  std::memcpy(&size, head, sizeof size);
  u8* const at = out.reserve(size);
  journal_.read(offset, at, size);
  out.end_at(at + size);
}

void Pipeline::results(Sequence first, Sequence last, Buffer& out) const {
  Buffer payload;
  for (u64 sequence = first.value; sequence <= last.value; ++sequence) {
    payload.clear();
    read_payload(Sequence(sequence), payload);
    u8* at = encode_length_prefix(kBatchItemField, payload.size(), out.reserve(payload.size() + 16));
    std::memcpy(at, payload.data(), payload.size());
    out.end_at(at + payload.size());
  }
}

void Pipeline::set_sink(std::shared_ptr<RecordSink> sink) {
  const std::lock_guard lock(mutex_);
  sink_ = std::move(sink);
}

bool Pipeline::drain(std::chrono::milliseconds deadline) {
  queue_.close();
  const auto end = std::chrono::steady_clock::now() + deadline;
  while (in_flight_ != 0) {
    if (std::chrono::steady_clock::now() >= end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

ThreadTimes Pipeline::thread_times() const {
  auto& self = const_cast<Pipeline&>(*this);
  return {.book_s = cpu_seconds(self.books_.native_handle()), .sync_s = cpu_seconds(self.sync_.native_handle())};
}

}  // namespace lab::engine
