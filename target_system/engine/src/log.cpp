#include "engine/log.hpp"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <ctime>

namespace lab::engine {
namespace {

std::string timestamp() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  tm utc{};
  ::gmtime_r(&now.tv_sec, &utc);
  std::array<char, 40> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &utc);
  std::snprintf(text.data() + size, text.size() - size, ".%06ldZ", now.tv_nsec / 1000);
  return text.data();
}

constexpr std::array kLevels{"info", "warning", "error"};

}  // namespace

LogField::LogField(std::string_view key, std::string_view text) : name(key), json(json_string(text)) {}
LogField::LogField(std::string_view key, u64 number) : name(key), json(std::to_string(number)) {}

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      std::array<char, 8> escape{};
      std::snprintf(escape.data(), escape.size(), "\\u%04x", static_cast<unsigned>(c));
      out += escape.data();
    } else {
      out += c;
    }
  }
  return out + '"';
}

void log(Level level, std::string_view event, std::initializer_list<LogField> fields) {
  std::string line = R"({"ts": ")" + timestamp() + R"(", "level": ")" + kLevels[static_cast<std::size_t>(level)] +
                     R"(", "event": )" + json_string(event);
  for (const LogField& field : fields) line += ", " + json_string(field.name) + ": " + field.json;
  line += "}\n";
  // One write a line: lines of several threads do not mix. There is nobody to tell if standard output is gone.
  [[maybe_unused]] const ssize_t written = ::write(STDOUT_FILENO, line.data(), line.size());
}

}  // namespace lab::engine
