// Where a test kills the engine: decision 1 names every point at which a crash may fall, and each must lose nothing.
//
//   ENGINE_CRASH_AT=synced:50    die, as by kill -9, when the fiftieth group has been synced and nothing was sent
//
// Read once, at the first use. Unarmed, a point costs one comparison a group or message, never one a command.
#pragma once

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <string>
#include <string_view>

#include "engine/types.hpp"

namespace lab::engine {

class CrashPoint {
 public:
  explicit CrashPoint(std::string_view name) {
    const char* const armed = std::getenv("ENGINE_CRASH_AT");
    const std::string_view text = armed == nullptr ? "" : armed;
    if (text.starts_with(name) && text.substr(name.size()).starts_with(':')) {
      left_ = std::strtoull(std::string(text.substr(name.size() + 1)).c_str(), nullptr, 10);
    }
  }

  void passed() {
    if (left_ != 0 && --left_ == 0) [[unlikely]] std::raise(SIGKILL);
  }

 private:
  std::atomic<u64> left_{0};
};

}  // namespace lab::engine
