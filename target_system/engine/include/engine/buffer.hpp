// Bytes that grow at the end, without being set to zero first.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>

#include "engine/wire.hpp"

namespace lab::engine {

class Buffer {
 public:
  // Where `size` more bytes may be written. Moves what is there if it must grow.
  u8* reserve(std::size_t size) {
    if (capacity_ - size_ < size) grow(size);
    return bytes_.get() + size_;
  }
  void end_at(const u8* end) { size_ = static_cast<std::size_t>(end - bytes_.get()); }
  void clear() { size_ = 0; }

  u8* data() { return bytes_.get(); }
  const u8* data() const { return bytes_.get(); }
  std::size_t size() const { return size_; }
  std::size_t capacity() const { return capacity_; }
  Bytes view() const { return {bytes_.get(), size_}; }

 private:
  void grow(std::size_t size) {
    capacity_ = std::max(capacity_ * 2, size_ + size);
    std::unique_ptr<u8[]> larger(new u8[capacity_]);
    if (size_ > 0) std::memcpy(larger.get(), bytes_.get(), size_);
    bytes_ = std::move(larger);
  }

  std::unique_ptr<u8[]> bytes_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace lab::engine
