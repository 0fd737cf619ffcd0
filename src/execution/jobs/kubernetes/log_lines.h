// A pod's log as the API server gives it with `timestamps=true`: "2026-11-21T16:13:33.123456789Z text". The
// times are taken off, and by them a log that broke off is gone on with where it was.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace glasscase::jobs {

// Nanoseconds since 1970 of "2026-11-21T16:13:33.123456789Z" or "…+02:00".
std::optional<int64_t> ParseLogTime(std::string_view text);

class LogLines {
 public:
  using Pass = std::function<void(std::string_view)>;

  // Another answer begins, with what was logged at since() or later.
  void Begin();
  // Passes on what no answer before had.
  void Take(std::string_view piece, const Pass& pass);
  // The answer has ended.
  void End(const Pass& pass);
  // The second of the last line, "2026-11-21T16:13:33Z"; empty: there was none.
  std::string since() const;

 private:
  void BeginLine(const Pass& pass);
  void PassOn(std::string_view text, const Pass& pass);

  struct Line {
    int64_t time = 0;
    uint64_t number = 0;  // among those of that time, from 1
    uint64_t bytes = 0;   // of it, without its time
  };
  std::optional<Line> last_;     // that was passed on, in part or whole
  bool is_catching_up_ = false;  // lines come that were passed on before
  std::optional<Line> line_;     // that comes; nothing: its time comes
  bool line_has_time_ = false;
  uint64_t skip_bytes_ = 0;         // of it
  uint64_t seen_of_last_time_ = 0;  // lines of this answer with last_'s time
  std::string begun_;               // of a line whose time is not whole yet
};

}  // namespace glasscase::jobs
