// What became of runs: a file for each, a line for each turn that it took, beside what it printed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <glasscase/catalog/rows.h>
#include <glasscase/core/error.h>
#include <glasscase/process/fd.h>

namespace glasscase::operations {

// As answers and the files here have it: "queued", "preparing", ...
std::string_view NameOf(catalog::RunState state);

struct RunEvent {
  int64_t at_micros = 0;
  std::string state{};
  int64_t attempt = 0;   // 0: it waits for its first
  std::string worker{};  // that it is with, or was
  std::string reason{};
};

class RunEvents {
 public:
  static constexpr uint64_t kBytesMax = uint64_t{64} << 10;  // of a run; what comes after is not kept

  explicit RunEvents(Fd folder) : folder_(std::move(folder)) {}

  // After the commit of that state; nothing where the last event says the same. Internal: it cannot be
  // written.
  Status Add(const catalog::Run& run, int64_t at_micros) const;
  // That it was queued, then what was added, from the oldest on. A line that a crash cut short is passed
  // over.
  Result<std::vector<RunEvent>> Read(const catalog::Run& run) const;

 private:
  Fd folder_;
};

}  // namespace glasscase::operations
