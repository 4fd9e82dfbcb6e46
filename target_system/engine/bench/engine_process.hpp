// An engine server started for a measurement, killed with it.
#pragma once

#include <sys/types.h>

#include <string>

#include "engine/types.hpp"
#include "temporary_directory.hpp"

namespace lab::engine::bench {

class EngineProcess {
 public:
  // Starts `binary` on an empty journal below `parent`, for the reference flow's symbols and prices.
  EngineProcess(const std::string& binary, const std::string& parent, u64 ids_max);
  ~EngineProcess();
  EngineProcess(const EngineProcess&) = delete;
  EngineProcess& operator=(const EngineProcess&) = delete;

  const std::string& address() const { return address_; }
  double cpu_seconds() const;

 private:
  TemporaryDirectory directory_;
  pid_t process_ = -1;
  std::string address_;
};

}  // namespace lab::engine::bench
