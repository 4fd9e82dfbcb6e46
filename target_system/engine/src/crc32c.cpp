#include "engine/crc32c.hpp"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace lab::engine {
namespace {

constexpr std::array<u32, 256> make_table() {
  std::array<u32, 256> table{};
  for (u32 byte = 0; byte < 256; ++byte) {
    u32 crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78U : 0U);
    table[byte] = crc;
  }
  return table;
}

constexpr auto kTable = make_table();

#if defined(__x86_64__)
[[gnu::target("sse4.2")]] u32 crc32c_sse42(const void* data, std::size_t size, u32 before) {
  const auto* bytes = static_cast<const unsigned char*>(data);
  u64 crc = ~before;
  for (; size >= 8; size -= 8, bytes += 8) {
    u64 word = 0;
    std::memcpy(&word, bytes, 8);
    crc = _mm_crc32_u64(crc, word);
  }
  if (size >= 4) {
    u32 word = 0;
    std::memcpy(&word, bytes, 4);
    crc = _mm_crc32_u32(static_cast<u32>(crc), word);
    bytes += 4;
    size -= 4;
  }
  for (; size > 0; --size) crc = _mm_crc32_u8(static_cast<u32>(crc), *bytes++);
  return ~static_cast<u32>(crc);
}
#endif

}  // namespace

u32 crc32c_table(const void* data, std::size_t size, u32 before) {
  const auto* bytes = static_cast<const unsigned char*>(data);
  u32 crc = ~before;
  for (; size > 0; --size) crc = crc >> 8 ^ kTable[(crc ^ *bytes++) & 0xFF];
  return ~crc;
}

u32 crc32c(const void* data, std::size_t size, u32 before) {
#if defined(__x86_64__)
  static const bool has_instruction = __builtin_cpu_supports("sse4.2");
  if (has_instruction) return crc32c_sse42(data, size, before);
#endif
  return crc32c_table(data, size, before);
}

}  // namespace lab::engine
