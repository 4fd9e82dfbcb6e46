// Large arrays straight from the kernel: zero, never moved, never freed before the end. What matching touches is given at
// once, in huge pages where the kernel has them; what fills slowly is given page by page as it is touched.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <new>
#include <utility>

namespace lab::engine {

enum class Touch : unsigned char { kLater, kNow };

template <class T>
class PageArray {
 public:
  PageArray() = default;
  explicit PageArray(std::size_t count, Touch touch = Touch::kLater) : count_(count) {
    void* memory = ::mmap(nullptr, bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    data_ = static_cast<T*>(memory);
    if (touch == Touch::kNow) give_all();
  }
  PageArray(PageArray&& other) noexcept { swap(other); }
  PageArray& operator=(PageArray&& other) noexcept {
    swap(other);
    return *this;
  }
  ~PageArray() {
    if (data_ != nullptr) ::munmap(data_, bytes());
  }

  T& operator[](std::size_t index) { return data_[index]; }
  const T& operator[](std::size_t index) const { return data_[index]; }
  const T* data() const { return data_; }
  std::size_t size() const { return count_; }

 private:
  void give_all() {
    ::madvise(data_, bytes(), MADV_HUGEPAGE);
    // An older kernel refuses; then the pages come as they are touched.
    ::madvise(data_, bytes(), MADV_POPULATE_WRITE);
  }

  std::size_t bytes() const { return count_ * sizeof(T); }
  void swap(PageArray& other) {
    std::swap(data_, other.data_);
    std::swap(count_, other.count_);
  }

  T* data_ = nullptr;
  std::size_t count_ = 0;
};

}  // namespace lab::engine
