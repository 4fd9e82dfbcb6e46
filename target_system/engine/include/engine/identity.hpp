// (account, client order id) → the sequence number that it got, for the life of the journal.
//
// Keyed by a 128-bit digest under a secret of the process (SipHash-1-3), so that no client can build two ids that meet.
// Open addressing, 16 bytes an entry: the low 32 bits of the digest say where to look, the other 96 are compared. All memory
// is taken at start, in huge pages where the kernel has them: a look-up misses the caches, it need not miss the TLB too.
// Full is a reported reject (ID_LIMIT_REACHED).
#pragma once

#include <algorithm>
#include <bit>

#include "engine/command.hpp"
#include "engine/memory.hpp"

namespace lab::engine {

struct Digest {
  u64 low = 0;
  u64 high = 0;
};

struct DigestKey {
  u64 first = 0;
  u64 second = 0;
  static DigestKey random();
};

Digest digest_of(const DigestKey& key, const Command& command);

class IdentityIndex {
 public:
  static constexpr u64 kCapacityMax = u64{1} << 31;

  // Room for `capacity` identities at a load of at most 3/4.
  explicit IdentityIndex(u64 capacity)
      : capacity_(capacity),
        entries_(std::bit_ceil(std::max<u64>(capacity + capacity / 3, 64)), Touch::kNow),
        mask_(entries_.size() - 1) {}

  void prefetch(const Digest& digest) const { __builtin_prefetch(&entries_[digest.low & mask_]); }

  // The place of this digest: its sequence, or 0 where the caller may store one (by claim).
  u32* find(const Digest& digest) {
    for (u64 at = digest.low & mask_;; at = (at + 1) & mask_) {
      Entry& entry = entries_[at];
      if (entry.sequence == 0) {
        if (used_ == capacity_) [[unlikely]] return nullptr;
        entry.low = static_cast<u32>(digest.low >> 32);
        entry.high = digest.high;
        return &entry.sequence;
      }
      if (entry.high == digest.high && entry.low == static_cast<u32>(digest.low >> 32)) return &entry.sequence;
    }
  }

  void claim(u32* place, Sequence sequence) {
    *place = static_cast<u32>(sequence.value);
    ++used_;
  }

  u64 used() const { return used_; }
  u64 capacity() const { return capacity_; }

 private:
  struct Entry {
    u64 high;
    u32 low;
    u32 sequence;  // 0: free
  };

  u64 capacity_;
  u64 used_ = 0;
  PageArray<Entry> entries_;
  u64 mask_;
};

}  // namespace lab::engine
