// CRC-32C (Castagnoli), by the processor's instruction where it has one.
#pragma once

#include <cstddef>

#include "engine/types.hpp"

namespace lab::engine {

// `before`: the checksum of what comes before these bytes.
u32 crc32c(const void* data, std::size_t size, u32 before = 0);
// What crc32c() does where the instruction lacks.
u32 crc32c_table(const void* data, std::size_t size, u32 before = 0);

}  // namespace lab::engine
