// One JSON object a line on standard output: ts, level, event, and the event's fields.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "engine/types.hpp"

namespace lab::engine {

enum class Level : u8 { kInfo, kWarning, kError };

struct LogField {
  LogField(std::string_view key, std::string_view text);
  LogField(std::string_view key, const char* text) : LogField(key, std::string_view(text)) {}
  LogField(std::string_view key, const std::string& text) : LogField(key, std::string_view(text)) {}
  LogField(std::string_view key, u64 number);

  std::string name;
  std::string json;  // the value
};

void log(Level level, std::string_view event, std::initializer_list<LogField> fields = {});

std::string json_string(std::string_view text);

}  // namespace lab::engine
