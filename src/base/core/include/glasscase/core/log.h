// One line per event on stderr: time, level, process, text. The processes' only log; tokens, inputs and
// weights never go into it.
#pragma once

#include <cstdint>
#include <string_view>

namespace glasscase {

enum class LogLevel : uint8_t { kDebug, kInfo, kWarning, kError };

// Sets the name printed in each line (a string literal; not copied) and the lowest level printed. Call
// once, at the start of main.
void InitLog(const char* process_name, LogLevel lowest = LogLevel::kInfo);

// Thread-safe; one write(2) per line. Control characters in `text` are escaped.
void Log(LogLevel level, std::string_view text);
inline void LogInfo(std::string_view text) { Log(LogLevel::kInfo, text); }
inline void LogWarning(std::string_view text) { Log(LogLevel::kWarning, text); }
inline void LogError(std::string_view text) { Log(LogLevel::kError, text); }

}  // namespace glasscase
