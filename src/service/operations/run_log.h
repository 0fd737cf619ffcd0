// What runs print: a file for each, to which each of its attempts adds.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <glasscase/catalog/rows.h>
#include <glasscase/core/error.h>
#include <glasscase/process/fd.h>

namespace glasscase::operations {

class RunLogs {
 public:
  static constexpr uint64_t kBytesMax = uint64_t{64}
                                        << 20;  // of a run; the worker bounds each execution first
  static constexpr uint64_t kOwnBytesMax = uint64_t{64} << 10;  // of these for lines that are not the run's

  explicit RunLogs(Fd folder) : folder_(std::move(folder)) {}

  // For an attempt to add to. What earlier ones printed stays; a line tells them apart and says `why` there
  // is another one. Internal: it cannot be made.
  Result<Fd> Begin(const catalog::Run& run, const std::string& why) const;
  // What is beyond the bytes of runs is dropped; a line says so.
  static Status Add(const Fd& log, std::string_view printed);

  struct Printed {
    std::string text;   // UTF-8; each byte that belongs to no character of it is "?"
    uint64_t next = 0;  // the first byte that comes after it
  };
  // From a byte on, a bounded piece; empty: there is no more now. With `more` something may follow: a
  // character at the end that is not whole yet waits for its rest.
  Result<Printed> Read(const Uuid& run, uint64_t from, bool more) const;

 private:
  Fd folder_;
};

}  // namespace glasscase::operations
