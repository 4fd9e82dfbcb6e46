// The protobuf wire format: varints, tags, length-delimited fields. Bounds are checked on reading, never on writing.
#pragma once

#include <cstring>
#include <span>
#include <string_view>

#include "engine/types.hpp"

namespace lab::engine::wire {

enum Type : u8 { kVarint = 0, kFixed64 = 1, kDelimited = 2, kFixed32 = 5 };

struct Field {
  u32 number = 0;
  Type type = kVarint;
};

inline i64 unzigzag(u64 value) { return static_cast<i64>(value >> 1) ^ -static_cast<i64>(value & 1); }
inline u64 zigzag(i64 value) { return static_cast<u64>(value) << 1 ^ static_cast<u64>(value >> 63); }

class Reader {
 public:
  explicit Reader(std::span<const u8> bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  // The next field's tag. False at the end, or when the bytes make no sense; ok() tells which.
  bool next(Field& field) {
    if (at_ == end_) return false;
    u64 tag = 0;
    if (!varint(tag) || tag >> 3 == 0 || tag >> 32 != 0) return fail();
    field = {static_cast<u32>(tag >> 3), static_cast<Type>(tag & 7)};
    return true;
  }

  bool varint(u64& value) {
    if (at_ != end_ && *at_ < 0x80) [[likely]] {
      value = *at_++;
      return true;
    }
    value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (at_ == end_) return fail();
      const u64 byte = *at_++;
      value |= (byte & 0x7F) << shift;
      if (byte < 0x80) return true;
    }
    return fail();
  }

  bool fixed64(u64& value) {
    if (end_ - at_ < 8) return fail();
    std::memcpy(&value, at_, 8);
    at_ += 8;
    return true;
  }

  bool bytes(std::span<const u8>& value) {
    u64 size = 0;
    if (!varint(size) || size > static_cast<u64>(end_ - at_)) return fail();
    value = {at_, static_cast<std::size_t>(size)};
    at_ += size;
    return true;
  }

  bool skip(const Field& field) {
    u64 ignored = 0;
    std::span<const u8> ignored_bytes;
    switch (field.type) {
      case kVarint:
        return varint(ignored);
      case kFixed64:
        return fixed64(ignored);
      case kDelimited:
        return bytes(ignored_bytes);
      case kFixed32:
        if (end_ - at_ < 4) return fail();
        at_ += 4;
        return true;
    }
    return fail();  // groups, and types that do not exist
  }

  bool ok() const { return ok_; }

 private:
  bool fail() {
    ok_ = false;
    at_ = end_;
    return false;
  }

  const u8* at_;
  const u8* end_;
  bool ok_ = true;
};

inline u8* put_varint(u64 value, u8* out) {
  while (value >= 0x80) {
    *out++ = static_cast<u8>(value | 0x80);
    value >>= 7;
  }
  *out++ = static_cast<u8>(value);
  return out;
}

// Like all of proto3: a field with its default value is not written. Field numbers are below 16, so a tag is one byte.
inline u8* put_uint(u32 field, u64 value, u8* out) {
  if (value == 0) return out;
  *out++ = static_cast<u8>(field << 3 | kVarint);
  return put_varint(value, out);
}

inline u8* put_sint(u32 field, i64 value, u8* out) { return put_uint(field, zigzag(value), out); }

inline u8* put_fixed64(u32 field, u64 value, u8* out) {
  *out++ = static_cast<u8>(field << 3 | kFixed64);
  std::memcpy(out, &value, 8);
  return out + 8;
}

inline u8* put_bytes(u32 field, std::string_view text, u8* out) {
  *out++ = static_cast<u8>(field << 3 | kDelimited);
  out = put_varint(text.size(), out);
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

// An embedded message below 128 bytes, so that its length is one byte and known to be so beforehand.
template <class Body>
u8* put_small_message(u32 field, u8* out, Body&& body) {
  *out++ = static_cast<u8>(field << 3 | kDelimited);
  u8* const length = out++;
  out = body(out);
  *length = static_cast<u8>(out - length - 1);
  return out;
}

}  // namespace lab::engine::wire
