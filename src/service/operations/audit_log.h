// The audit log: one line of JSON per decision (api/formats/audit.md).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <glasscase/access/audit.h>
#include <glasscase/core/clock.h>
#include <glasscase/core/error.h>
#include <glasscase/process/fd.h>

namespace glasscase::operations {

struct AuditLine {
  int64_t time_micros = 0;
  access::Stage stage = access::Stage::kCustodian;
  std::string_view route;
  Uuid subject;  // nil: unknown
  std::string_view subject_name;
  Uuid token;               // nil: unknown
  std::string_view object;  // as asked for; may hold anything
  bool allowed = false;
  access::Reason reason = access::Reason::kNoToken;
  uint32_t count = 1;
};

// One thread.
class AuditLog {
 public:
  static constexpr uint64_t kFileBytesMax = uint64_t{64} << 20;  // then the file is renamed
  static constexpr size_t kBufferBytesMax = size_t{4} << 20;  // while the disk is full; then lines are lost

  // `clock` outlives the log.
  static Result<std::unique_ptr<AuditLog>> Open(Fd directory, const Clock& clock,
                                                uint64_t file_bytes_max = kFileBytesMax);

  // Into memory.
  void Add(const AuditLine& line);
  // What was added, to the file. ResourceExhausted when the disk is full; the lines stay in memory then.
  Status Flush();
  // What was flushed, to the disk.
  void Sync();

 private:
  AuditLog(Fd directory, const Clock& clock, uint64_t file_bytes_max)
      : directory_(std::move(directory)), clock_(clock), file_bytes_max_(file_bytes_max) {}
  Status OpenFile();
  Status Rotate();

  Fd directory_;
  const Clock& clock_;
  uint64_t file_bytes_max_;
  Fd file_;
  uint64_t file_bytes_ = 0;
  std::string buffer_;
  uint64_t lost_lines_ = 0;
  bool unsynced_ = false;
};

// Text as a JSON string with its quotes; what is not UTF-8 comes out byte by byte as \u00xx.
std::string JsonText(std::string_view text);

}  // namespace glasscase::operations
