// A directory that is gone when its owner is.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <string>

#include "engine/file.hpp"

namespace lab::engine {

class TemporaryDirectory {
 public:
  explicit TemporaryDirectory(const std::filesystem::path& parent = std::filesystem::temp_directory_path())
      : path_((parent / "engine-XXXXXX").string()) {
    if (::mkdtemp(path_.data()) == nullptr) fail_on("make", path_);
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace lab::engine
