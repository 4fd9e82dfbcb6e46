#include "journal_bench.hpp"

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "engine/clock.hpp"
#include "engine/journal.hpp"
#include "engine/matcher.hpp"
#include "flow_commands.hpp"
#include "temporary_directory.hpp"

namespace lab::engine::bench {
namespace {

void write_journal(u64 events, const std::string& directory) {
  JournalWriter writer(directory);
  writer.create(flow_header());
  const auto matcher = std::make_unique<Matcher>(flow_header().limits, events);
  Buffer buffer;
  u64 sequence = 0;
  for (const Command& command : flow_commands(events)) {
    const auto done = matcher->execute(command, Sequence(++sequence), kRecordHeadBytes, buffer);
    seal_record(buffer.data() + done.offset - kRecordHeadBytes, buffer.size() - done.offset);
    if (buffer.size() < (1U << 20)) continue;
    writer.append(buffer.view());
    buffer.clear();
  }
  writer.append(buffer.view());
  writer.sync();
}

double replay_once(const std::string& directory) {
  JournalReader reader(directory);
  const auto matcher = std::make_unique<Matcher>(reader.header().limits, reader.size() / kRecordHeadBytes);
  Buffer scratch;
  Bytes payload;
  Replayed replayed;
  u64 sequence = 0;
  const u64 started_ns = now_ns();
  while (reader.next(payload)) {
    replay_record(payload, Sequence(++sequence), *matcher, scratch, replayed);
    if (!replayed.problem.empty()) throw std::runtime_error("the replay differs from what was written");
  }
  return static_cast<double>(sequence) * 1e9 / static_cast<double>(now_ns() - started_ns);
}

}  // namespace

double replay_events_per_s(u64 events) {
  const TemporaryDirectory directory;
  write_journal(events, directory.path());
  std::vector<double> rates;
  for (int i = 0; i < 5; ++i) rates.push_back(replay_once(directory.path()));
  std::ranges::sort(rates);
  return rates[2];
}

}  // namespace lab::engine::bench
