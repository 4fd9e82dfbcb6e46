#include "journal_format.hpp"

#include <cstring>

#include "engine/crc32c.hpp"

namespace lab::engine {
namespace {

template <class Number>
void put(std::string& out, Number value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

class Cursor {
 public:
  explicit Cursor(Bytes bytes) : bytes_(bytes) {}

  template <class Number>
  Number get() {
    Number value{};
    if (bytes_.size() < sizeof value) {
      ok_ = false;
      return value;
    }
    std::memcpy(&value, bytes_.data(), sizeof value);
    bytes_ = bytes_.subspan(sizeof value);
    return value;
  }

  std::string text() {
    const auto size = get<u8>();
    if (bytes_.size() < size) {
      ok_ = false;
      return {};
    }
    std::string value(reinterpret_cast<const char*>(bytes_.data()), size);
    bytes_ = bytes_.subspan(size);
    return value;
  }

  bool ok() const { return ok_; }

 private:
  Bytes bytes_;
  bool ok_ = true;
};

}  // namespace

std::string journal_path(const std::string& directory) { return directory + "/journal.log"; }
std::string mark_path(const std::string& directory) { return directory + "/synced"; }

std::string encode_header(const JournalHeader& header) {
  std::string body;
  put(body, header.limits.price_min);
  put(body, header.limits.price_max);
  put(body, header.limits.orders);
  put(body, header.limits.symbols);
  for (const std::string& symbol : header.symbols) {
    put(body, static_cast<u8>(symbol.size()));
    body += symbol;
  }
  std::string out(kMagic, 8);
  put(out, kJournalVersion);
  put(out, static_cast<u32>(kHeaderPrefixBytes + body.size()));
  put(out, crc32c(body.data(), body.size()));
  return out + body;
}

std::string parse_header(Bytes bytes, JournalHeader& header, u32& size) {
  if (bytes.size() < kHeaderPrefixBytes) return "the header is incomplete";
  if (std::memcmp(bytes.data(), kMagic, 8) != 0) return "this is no journal (wrong magic)";
  Cursor prefix(bytes.subspan(8, kHeaderPrefixBytes - 8));
  const auto version = prefix.get<u32>();
  if (version != kJournalVersion) {
    return "format version " + std::to_string(version) + ", this engine reads " + std::to_string(kJournalVersion);
  }
  size = prefix.get<u32>();
  const auto checksum = prefix.get<u32>();
  if (size < kHeaderPrefixBytes || size > kHeaderBytesMax || size > bytes.size()) return "the header's size is wrong";
  const Bytes body = bytes.subspan(kHeaderPrefixBytes, size - kHeaderPrefixBytes);
  if (crc32c(body.data(), body.size()) != checksum) return "the header's checksum is wrong";

  Cursor cursor(body);
  header.limits.price_min = cursor.get<i64>();
  header.limits.price_max = cursor.get<i64>();
  header.limits.orders = cursor.get<u32>();
  header.limits.symbols = cursor.get<u32>();
  header.symbols.clear();
  for (u32 symbol = 0; cursor.ok() && symbol < header.limits.symbols; ++symbol) header.symbols.push_back(cursor.text());
  return cursor.ok() ? "" : "the header is shorter than its symbol table";
}

u32 record_checksum(const u8* payload, u32 size) { return crc32c(payload, size, crc32c(&size, sizeof size)); }

void seal_record(u8* head, std::size_t size) {
  const auto length = static_cast<u32>(size);
  const u32 checksum = record_checksum(head + kRecordHeadBytes, length);
  std::memcpy(head, &length, 4);
  std::memcpy(head + 4, &checksum, 4);
}

}  // namespace lab::engine
