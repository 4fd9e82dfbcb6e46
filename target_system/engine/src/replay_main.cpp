// engine-replay: reads a journal that it never changes, matches every command again, and prints results and books.
//
// One of the three witnesses of a reconciliation, so it takes nothing from the results that the journal holds except to
// compare them. Exit codes: 0, 1 internal error, 2 bad arguments, 3 damaged, or a result differs from its command's.

#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>

#include "engine/clock.hpp"
#include "engine/journal.hpp"
#include "engine/matcher.hpp"
#include "replay_json.hpp"

namespace lab::engine {
namespace {

constexpr const char* kReplayUsage =
    "usage: engine-replay --journal DIR [--results FILE|-] [--books FILE|-]\n"
    "  --results  one JSON object a line for each command, in sequence\n"
    "  --books    one JSON object: every resting order, in priority order\n"
    "A summary goes to standard output, or to standard error where results or books go to standard output.\n";

struct Arguments {
  std::string journal;
  std::optional<std::string> results;
  std::optional<std::string> books;
};

bool parse(std::span<char* const> arguments, Arguments& out) {
  for (std::size_t i = 0; i + 1 < arguments.size(); i += 2) {
    const std::string flag = arguments[i];
    if (flag == "--journal") out.journal = arguments[i + 1];
    else if (flag == "--results") out.results = arguments[i + 1];
    else if (flag == "--books") out.books = arguments[i + 1];
    else return false;
  }
  return arguments.size() % 2 == 0 && !out.journal.empty();
}

struct CloseFile {
  void operator()(std::FILE* file) const {
    if (file != stdout) std::fclose(file);
  }
};
using Output = std::unique_ptr<std::FILE, CloseFile>;

Output open_output(const std::string& path) {
  if (path == "-") return Output(stdout);
  Output file(std::fopen(path.c_str(), "w"));
  if (file == nullptr) fail_on("open", path);
  return file;
}

void write_out(const Output& file, const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), file.get()) != text.size()) throw std::runtime_error("output: cannot write");
}

struct Replay {
  u64 commands = 0;
  u64 rejected = 0;
  u64 offset = 0;
  u64 torn_bytes = 0;
  u64 duration_ns = 0;
};

// The journal says how many commands there can be at most: none is shorter than this.
constexpr u64 kRecordBytesMin = kRecordHeadBytes + 16;

Replay replay(JournalReader& reader, Matcher& matcher, const Output& results) {
  Replay done;
  Buffer scratch;
  Bytes payload;
  Replayed replayed;
  std::string lines;
  const u64 started_ns = now_ns();
  while (true) {
    const u64 at = reader.offset();
    if (!reader.next(payload)) break;
    const Sequence sequence(++done.commands);
    replay_record(payload, sequence, matcher, scratch, replayed);
    if (!replayed.problem.empty()) {
      throw JournalError("byte " + std::to_string(at) + ": record " + std::to_string(sequence.value) + " " +
                         replayed.problem);
    }
    if (replayed.verdict.outcome == Outcome::kRejected) ++done.rejected;
    if (results == nullptr) continue;
    append_result_json(sequence, replayed, matcher.outcomes(), reader.header().symbols, lines);
    if (lines.size() < (1U << 20)) continue;
    write_out(results, lines);
    lines.clear();
  }
  if (results != nullptr) write_out(results, lines);
  done.duration_ns = now_ns() - started_ns;
  done.offset = reader.offset();
  done.torn_bytes = reader.torn_bytes();
  return done;
}

int run(const Arguments& arguments) {
  JournalReader reader(arguments.journal);
  Matcher matcher(reader.header().limits, reader.size() / kRecordBytesMin + 1);
  const Output results = arguments.results ? open_output(*arguments.results) : Output();
  const Replay done = replay(reader, matcher, results);
  if (arguments.books) {
    write_out(open_output(*arguments.books), books_json(matcher.market(), Sequence(done.commands), reader.header().symbols));
  }
  const Tape& tape = matcher.market().tape();
  char hash[17];
  std::snprintf(hash, sizeof hash, "%016llx", static_cast<unsigned long long>(tape.trade_hash));
  const bool taken = arguments.results == "-" || arguments.books == "-";
  std::fprintf(taken ? stderr : stdout,
               R"({"commands": %llu, "rejected": %llu, "trades": %llu, "trade_hash": "%s", "resting_orders": %u, )"
               R"("bytes": %llu, "torn_bytes_ignored": %llu, "synced_bytes_missing": %llu, "events_per_s": %.0f})"
               "\n",
               static_cast<unsigned long long>(done.commands), static_cast<unsigned long long>(done.rejected),
               static_cast<unsigned long long>(tape.last_trade_id), hash, matcher.market().resting_orders(),
               static_cast<unsigned long long>(done.offset), static_cast<unsigned long long>(done.torn_bytes),
               static_cast<unsigned long long>(reader.missing_bytes()),
               static_cast<double>(done.commands) * 1e9 / static_cast<double>(done.duration_ns + 1));
  return 0;
}

}  // namespace
}  // namespace lab::engine

int main(int argc, char** argv) {
  lab::engine::Arguments arguments;
  if (!lab::engine::parse({argv + 1, argv + argc}, arguments)) {
    std::fprintf(stderr, "%s", lab::engine::kReplayUsage);
    return 2;
  }
  try {
    return lab::engine::run(arguments);
  } catch (const lab::engine::JournalError& error) {
    std::fprintf(stderr, "engine-replay: %s\n", error.what());
    return 3;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "engine-replay: %s\n", error.what());
    return 1;
  }
}
