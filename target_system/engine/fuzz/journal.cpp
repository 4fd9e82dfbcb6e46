// Any bytes as a journal: read, cut or refused with a message. The first byte says what the rest is: a whole file, records
// behind a good header, or one payload in a good record, so that the checksums do not keep everything out.

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>

#include "engine/journal.hpp"
#include "engine/matcher.hpp"

namespace {

using namespace lab::engine;

const JournalHeader kHeader{{.symbols = 1, .price_min = 1, .price_max = 100, .orders = 64}, {"A"}};

const std::string& directory() {
  static const std::string path = [] {
    std::string made = "/dev/shm/fuzz-journal-XXXXXX";
    if (::mkdtemp(made.data()) == nullptr) std::abort();
    return made;
  }();
  return path;
}

std::string file_of(const std::string& input) {
  if (input.empty() || input[0] % 3 == 0) return input.substr(input.empty() ? 0 : 1);
  const std::string rest = input.substr(1);
  if (input[0] % 3 == 1) return encode_header(kHeader) + rest;
  std::string record(kRecordHeadBytes, '\0');
  record += rest;
  seal_record(reinterpret_cast<u8*>(record.data()), rest.size());
  return encode_header(kHeader) + record;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string input(reinterpret_cast<const char*>(data), size);
  std::ofstream(journal_path(directory()), std::ios::binary | std::ios::trunc) << file_of(input);
  try {
    JournalReader reader(directory());
    if (reader.header() != kHeader) return 0;
    const auto matcher = std::make_unique<Matcher>(kHeader.limits, 1'000);
    Buffer scratch;
    Replayed replayed;
    u64 sequence = 0;
    for (Bytes payload; sequence < 1'000 && reader.next(payload);) {
      replay_record(payload, Sequence(++sequence), *matcher, scratch, replayed);
      if (!replayed.problem.empty()) break;
    }
  } catch (const JournalError&) {
    return 0;
  }
  return 0;
}
