#include <glasscase/core/log.h>

#include <unistd.h>

#include <string>

#include <glasscase/core/bytes.h>
#include <glasscase/core/clock.h>

namespace glasscase {
namespace {

// Written once by InitLog before other threads exist.
const char* process = "glasscase";
LogLevel lowest_level = LogLevel::kInfo;

constexpr const char* LevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug: return "debug";
    case LogLevel::kInfo: return "info";
    case LogLevel::kWarning: return "warning";
    case LogLevel::kError: return "error";
  }
  return "error";
}

}  // namespace

void InitLog(const char* process_name, LogLevel lowest) {
  process = process_name;
  lowest_level = lowest;
}

void Log(LogLevel level, std::string_view text) {
  if (level < lowest_level) return;
  std::string line = FormatTime(SystemClock().WallMicros()) + " " + LevelName(level) + " " + process + "[" +
                     std::to_string(getpid()) + "] ";
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    if (byte >= 0x20 && byte != 0x7F) {
      line += c;
    } else {
      line += Printable({&c, 1});
    }
  }
  line += '\n';
  // A log line that cannot be written has nowhere else to go.
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace glasscase
