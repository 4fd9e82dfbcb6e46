// The journal: every command with its result, in sequence, in one file that only grows.
//
//   DIR/journal.log   header, then records
//   DIR/synced        how many bytes of it were on disk when last known; never synced itself, see below
//   DIR/lock          held by the one engine that writes
//
// Header: 8 bytes magic, u32 format version, u32 bytes of header, u32 crc32c of the rest of it, then the limits and the
// symbol table that the commands were matched under.
// Record: u32 bytes of payload, u32 crc32c over those four bytes and the payload, payload: a `Result` of engine.proto
// with its command. Little-endian throughout.
//
// What a bad record means is decided by where it is. Behind what was synced it is the torn end of a write whose results
// never left: it is cut, however the disk ordered its pages. Before that, or with whole records behind a hole, it is
// damage: the engine refuses to start. The mark in DIR/synced is written after each sync without a sync of its own; kill
// -9 cannot lose it, and after a power cut it is at worst old, which only makes more of the end count as torn.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include "engine/file.hpp"
#include "engine/types.hpp"
#include "engine/wire.hpp"

namespace lab::engine {

struct JournalHeader {
  Limits limits;
  std::vector<std::string> symbols;
  bool operator==(const JournalHeader&) const = default;
};

inline constexpr u32 kJournalVersion = 1;
inline constexpr std::size_t kRecordHeadBytes = 8;

std::string journal_path(const std::string& directory);
std::string encode_header(const JournalHeader& header);
// Fills in length and checksum of the record whose payload of `size` bytes stands behind its head.
void seal_record(u8* head, std::size_t size);

// The journal cannot be used; what() says which byte of which file and what to do.
struct JournalError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Reads a journal through a mapping, also one that an engine is writing to: it sees what was there when it was opened.
class JournalReader {
 public:
  explicit JournalReader(const std::string& directory);
  ~JournalReader();
  JournalReader(const JournalReader&) = delete;
  JournalReader& operator=(const JournalReader&) = delete;

  const JournalHeader& header() const { return header_; }
  // The next record's payload. False at the end of the whole records; then torn_bytes() follow.
  // Throws JournalError where the journal is damaged.
  bool next(Bytes& payload);
  // Back to the first record.
  void rewind() { offset_ = first_record_; }
  u64 offset() const { return offset_; }
  u64 size() const { return bytes_.size(); }
  u64 torn_bytes() const { return bytes_.size() - offset_; }
  // Bytes that were known to be synced and are not there any more: the file was cut by something else than a crash.
  u64 missing_bytes() const { return synced_ > offset_ ? synced_ - offset_ : 0; }

 private:
  void read_header();
  bool whole_record_at(u64 offset, Bytes& payload) const;
  bool whole_record_behind(u64 offset) const;
  void judge_bad_record() const;
  [[noreturn]] void fail(u64 offset, const std::string& what) const;

  std::string path_;
  Bytes bytes_;
  JournalHeader header_;
  u64 first_record_ = 0;
  u64 offset_ = 0;
  bool has_mark_ = false;
  u64 synced_ = 0;
};

bool journal_exists(const std::string& directory);

// The one writer. Takes the lock; two engines on one directory are refused.
class JournalWriter {
 public:
  explicit JournalWriter(const std::string& directory);
  ~JournalWriter();
  JournalWriter(const JournalWriter&) = delete;
  JournalWriter& operator=(const JournalWriter&) = delete;

  void create(const JournalHeader& header);
  void open_at(u64 end);  // cuts what follows

  // Throw std::system_error if the system refuses; then nothing of it may be promised.
  void append(Bytes bytes);
  void sync();

  u64 end() const { return end_; }
  // Reads back what was appended.
  void read(u64 offset, u8* out, std::size_t size) const;

 private:
  std::string directory_;
  File lock_;
  File file_;
  u64 end_ = 0;
  u64* mark_ = nullptr;  // mapped
};

}  // namespace lab::engine
