// Time since some fixed moment, for how long; and CPU time. Never called inside matching.
#pragma once

#include <pthread.h>

#include <ctime>

#include "engine/types.hpp"

namespace lab::engine {

inline u64 nanoseconds(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return static_cast<u64>(time.tv_sec) * 1'000'000'000ULL + static_cast<u64>(time.tv_nsec);
}

inline u64 now_ns() { return nanoseconds(CLOCK_MONOTONIC); }

inline double cpu_seconds(pthread_t thread) {
  clockid_t clock{};
  if (::pthread_getcpuclockid(thread, &clock) != 0) return 0;
  return static_cast<double>(nanoseconds(clock)) / 1e9;
}

}  // namespace lab::engine
