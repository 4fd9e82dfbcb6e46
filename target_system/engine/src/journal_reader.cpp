#include <sys/mman.h>
#include <sys/stat.h>

#include <cstring>

#include "engine/journal.hpp"
#include "journal_format.hpp"

namespace lab::engine {
namespace {

// Every payload begins with the sequence number, a varint field: cheap to test before a checksum is computed.
constexpr u8 kSequenceTag = 2 << 3;

bool read_mark(const std::string& directory, u64& synced) {
  if (::access(mark_path(directory).c_str(), F_OK) != 0) return false;
  const File mark(mark_path(directory), O_RDONLY);
  return ::pread(mark.descriptor(), &synced, sizeof synced, 0) == sizeof synced;
}

}  // namespace

bool journal_exists(const std::string& directory) { return ::access(journal_path(directory).c_str(), F_OK) == 0; }

JournalReader::JournalReader(const std::string& directory) : path_(journal_path(directory)) {
  has_mark_ = read_mark(directory, synced_);  // before the size: an engine at work moves both
  const File file(path_, O_RDONLY);
  struct stat status {};
  if (::fstat(file.descriptor(), &status) != 0) fail_on("stat", path_);
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size == 0) fail(0, "the file is empty");
  void* memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.descriptor(), 0);
  if (memory == MAP_FAILED) fail_on("map", path_);
  ::madvise(memory, size, MADV_SEQUENTIAL);
  bytes_ = {static_cast<const u8*>(memory), size};
  u32 header_size = 0;
  if (const std::string problem = parse_header(bytes_, header_, header_size); !problem.empty()) fail(0, problem);
  offset_ = first_record_ = header_size;
}

JournalReader::~JournalReader() { ::munmap(const_cast<u8*>(bytes_.data()), bytes_.size()); }

bool JournalReader::next(Bytes& payload) {
  if (offset_ == bytes_.size()) return false;
  if (!whole_record_at(offset_, payload)) {
    judge_bad_record();
    return false;
  }
  offset_ += kRecordHeadBytes + payload.size();
  return true;
}

bool JournalReader::whole_record_at(u64 offset, Bytes& payload) const {
  if (bytes_.size() - offset < kRecordHeadBytes) return false;
  u32 size = 0;
  u32 checksum = 0;
  std::memcpy(&size, &bytes_[offset], 4);
  std::memcpy(&checksum, &bytes_[offset + 4], 4);
  if (size == 0 || size > bytes_.size() - offset - kRecordHeadBytes) return false;
  payload = bytes_.subspan(offset + kRecordHeadBytes, size);
  return payload[0] == kSequenceTag && record_checksum(payload.data(), size) == checksum;
}

bool JournalReader::whole_record_behind(u64 offset) const {
  Bytes payload;
  for (u64 at = offset + 1; at < bytes_.size(); ++at) {
    if (whole_record_at(at, payload)) return true;
  }
  return false;
}

// Returns if the bad record at offset_ is the torn end of a write that was never promised.
void JournalReader::judge_bad_record() const {
  const bool promised = offset_ < synced_;
  const bool cut_short = promised && bytes_.size() < synced_;
  if (promised && !cut_short) fail(offset_, "the record is damaged, and it was synced");
  if ((cut_short || !has_mark_) && whole_record_behind(offset_)) {
    fail(offset_, "the record is damaged, and whole records follow it");
  }
}

void JournalReader::fail(u64 offset, const std::string& what) const {
  throw JournalError(path_ + ": byte " + std::to_string(offset) + ": " + what +
                     "; restore the file from a copy, or start with an empty directory");
}

}  // namespace lab::engine
