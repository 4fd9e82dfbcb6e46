#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <filesystem>

#include "engine/journal.hpp"
#include "journal_format.hpp"

namespace lab::engine {
namespace {

u64* map_mark(const std::string& path) {
  const File file(path, O_RDWR | O_CREAT);
  if (::ftruncate(file.descriptor(), sizeof(u64)) != 0) fail_on("size", path);
  void* memory = ::mmap(nullptr, sizeof(u64), PROT_READ | PROT_WRITE, MAP_SHARED, file.descriptor(), 0);
  if (memory == MAP_FAILED) fail_on("map", path);
  return static_cast<u64*>(memory);
}

}  // namespace

JournalWriter::JournalWriter(const std::string& directory) : directory_(directory) {
  if (std::filesystem::create_directories(directory)) {
    sync_directory(std::filesystem::absolute(directory).lexically_normal().parent_path());
  }
  const std::string path = directory + "/lock";
  lock_ = File(path, O_RDWR | O_CREAT);
  if (::flock(lock_.descriptor(), LOCK_EX | LOCK_NB) != 0) fail_on("lock (does another engine use it?)", path);
}

JournalWriter::~JournalWriter() {
  if (mark_ == nullptr) return;
  ::msync(mark_, sizeof *mark_, MS_SYNC);
  ::munmap(mark_, sizeof *mark_);
}

// The header goes to a file of another name first, so that a journal with half a header cannot exist.
void JournalWriter::create(const JournalHeader& header) {
  const std::string bytes = encode_header(header);
  const std::string temporary = directory_ + "/journal.new";
  {
    const File file(temporary, O_RDWR | O_CREAT | O_TRUNC);
    write_all(file, temporary, {reinterpret_cast<const u8*>(bytes.data()), bytes.size()}, 0);
    if (::fsync(file.descriptor()) != 0) fail_on("sync", temporary);
  }
  std::filesystem::rename(temporary, journal_path(directory_));
  sync_directory(directory_);
  open_at(bytes.size());
}

void JournalWriter::open_at(u64 end) {
  const std::string path = journal_path(directory_);
  file_ = File(path, O_RDWR);
  if (::ftruncate(file_.descriptor(), static_cast<off_t>(end)) != 0) fail_on("truncate", path);
  end_ = end;
  mark_ = map_mark(mark_path(directory_));
  if (::fsync(file_.descriptor()) != 0) fail_on("sync", path);
  sync_directory(directory_);
  *mark_ = end_;
}

void JournalWriter::append(Bytes bytes) {
  write_all(file_, journal_path(directory_), bytes, end_);
  end_ += bytes.size();
}

void JournalWriter::sync() {
  if (::fdatasync(file_.descriptor()) != 0) fail_on("sync", journal_path(directory_));
  *mark_ = end_;
}

void JournalWriter::read(u64 offset, u8* out, std::size_t size) const {
  while (size > 0) {
    const ssize_t got = ::pread(file_.descriptor(), out, size, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) fail_on("read", journal_path(directory_));
    out += got;
    size -= static_cast<std::size_t>(got);
    offset += static_cast<u64>(got);
  }
}

}  // namespace lab::engine
