// What reader and writer of the journal share: file names, the header's bytes, mapping a file.
#pragma once

#include <string>

#include "engine/journal.hpp"

namespace lab::engine {

inline constexpr char kMagic[] = "LABJRNL\n";  // 8 bytes
inline constexpr std::size_t kHeaderPrefixBytes = 20;
inline constexpr u32 kHeaderBytesMax = 1 << 20;

std::string mark_path(const std::string& directory);
u32 record_checksum(const u8* payload, u32 size);

// Reads the header at the beginning of `bytes`; an empty string, or what is wrong.
std::string parse_header(Bytes bytes, JournalHeader& header, u32& size);

}  // namespace lab::engine
