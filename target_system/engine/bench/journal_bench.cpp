#include "journal_bench.hpp"

#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>

#include "contenders.hpp"
#include "engine/clock.hpp"
#include "engine/journal.hpp"
#include "engine/matcher.hpp"

namespace lab::engine::bench {
namespace {

class TemporaryDirectory {
 public:
  TemporaryDirectory() : path_((std::filesystem::temp_directory_path() / "engine-bench-XXXXXX").string()) {
    if (::mkdtemp(path_.data()) == nullptr) fail_on("make", path_);
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

JournalHeader header() {
  JournalHeader header{flow_limits(), {}};
  for (u32 symbol = 0; symbol < kFlowSymbols; ++symbol) header.symbols.push_back("S" + std::to_string(symbol));
  return header;
}

// Order ids of the server are sequence numbers, so a cancel names the one that its order got.
Command command_of(const FlowRecord& record, u64 sequence, std::vector<u64>& sequence_of) {
  Command command;
  command.account = record.id & 63;
  command.symbol = record.symbol;
  command.received_ns = 1'700'000'000'000'000'000ULL + sequence;
  if (record.kind == FlowKind::kCancel) {
    command.kind = static_cast<u8>(Kind::kCancel);
    command.order_id = sequence_of[record.id];
    command.set_client_order_id("~c" + std::to_string(command.order_id));
    return command;
  }
  sequence_of[record.id] = sequence;
  command.kind = static_cast<u8>(Kind::kNew);
  command.side = record.is_sell != 0 ? 2 : 1;
  command.type = static_cast<u8>(OrderType::kLimit);
  command.price = record.price;
  command.quantity = record.quantity;
  command.set_client_order_id("order-" + std::to_string(record.id));
  return command;
}

void write_journal(const std::vector<FlowRecord>& flow, const std::string& directory) {
  JournalWriter writer(directory);
  writer.create(header());
  const auto matcher = std::make_unique<Matcher>(flow_limits(), flow.size());
  std::vector<u64> sequence_of(flow.size() + 1);
  Buffer buffer;
  u64 sequence = 0;
  for (const FlowRecord& record : flow) {
    const Command command = command_of(record, ++sequence, sequence_of);
    const auto payload = matcher->execute(command, Sequence(sequence), kRecordHeadBytes, buffer);
    seal_record(buffer.data() + payload.offset - kRecordHeadBytes, buffer.size() - payload.offset);
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
  Command command;
  u64 sequence = 0;
  const u64 started_ns = now_ns();
  while (reader.next(payload)) {
    if (!replay_record(payload, Sequence(++sequence), *matcher, scratch, command).empty()) {
      throw std::runtime_error("the replay differs from what was written");
    }
  }
  return static_cast<double>(sequence) * 1e9 / static_cast<double>(now_ns() - started_ns);
}

}  // namespace

double replay_events_per_s(const std::vector<FlowRecord>& flow) {
  const TemporaryDirectory directory;
  write_journal(flow, directory.path());
  std::vector<double> rates;
  for (int i = 0; i < 5; ++i) rates.push_back(replay_once(directory.path()));
  std::ranges::sort(rates);
  return rates[2];
}

}  // namespace lab::engine::bench
