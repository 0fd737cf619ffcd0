#include "audit_log.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>

#include <glasscase/core/bytes.h>
#include <glasscase/core/log.h>

namespace glasscase::operations {
namespace {

constexpr char kFileName[] = "audit.jsonl";

std::string_view StageName(access::Stage stage) {
  switch (stage) {
    case access::Stage::kPublicEdge: return "public_edge";
    case access::Stage::kControlEdge: return "control_edge";
    case access::Stage::kHost: return "host";
    case access::Stage::kCustodian: return "custodian";
  }
  return "unknown";
}

// RFC 3339 with microseconds: decisions of one second keep their order.
std::string TimeText(int64_t micros) {
  std::string text = FormatTime(micros);
  std::array<char, 16> fraction{};
  std::snprintf(fraction.data(), fraction.size(), ".%06dZ", static_cast<int>(micros % 1'000'000));
  text.replace(text.size() - 1, 1, fraction.data());
  return text;
}

void AddMember(std::string& line, std::string_view name, std::string_view text) {
  line += ",\"";
  line += name;
  line += "\":" + JsonText(text);
}

Error WriteError(int errno_value) {
  if (errno_value == ENOSPC || errno_value == EDQUOT)
    return Error::ResourceExhausted("the disk of the data directory is full");
  return Error::FromErrno(errno_value, "cannot write the audit log");
}

}  // namespace

std::string JsonText(std::string_view text) {
  const bool utf8 = IsUtf8(text);
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 32 || byte == 127 || (byte > 127 && !utf8)) {
      std::array<char, 8> escape{};
      std::snprintf(escape.data(), escape.size(), "\\u%04x", byte);
      out += escape.data();
    } else {
      out += c;
    }
  }
  return out + "\"";
}

Result<std::unique_ptr<AuditLog>> AuditLog::Open(Fd directory, const Clock& clock, uint64_t file_bytes_max) {
  std::unique_ptr<AuditLog> log(new AuditLog(std::move(directory), clock, file_bytes_max));
  GC_TRY_VOID(log->OpenFile());
  return log;
}

Status AuditLog::OpenFile() {
  file_ =
      Fd(::openat(directory_.get(), kFileName, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600));
  struct stat facts {};
  if (!file_.valid() || ::fstat(file_.get(), &facts) != 0) return Fail(WriteError(errno));
  file_bytes_ = static_cast<uint64_t>(facts.st_size);
  // A process killed while writing leaves half a line; the next one begins on its own.
  char last = '\n';
  if (facts.st_size > 0 && ::pread(file_.get(), &last, 1, facts.st_size - 1) == 1 && last != '\n')
    buffer_.insert(0, "\n");
  return Ok();
}

void AuditLog::Add(const AuditLine& line) {
  if (buffer_.size() > kBufferBytesMax) {
    ++lost_lines_;
    return;
  }
  std::string text = "{\"time\":\"" + TimeText(line.time_micros) + "\"";
  AddMember(text, "stage", StageName(line.stage));
  AddMember(text, "route", line.route);
  if (!line.subject.IsNil()) AddMember(text, "subject", line.subject.ToString());
  if (!line.subject_name.empty()) AddMember(text, "subject_name", line.subject_name);
  if (!line.token.IsNil()) AddMember(text, "token", line.token.ToString());
  if (!line.object.empty()) AddMember(text, "object", line.object);
  AddMember(text, "verdict", line.allowed ? "allowed" : "refused");
  AddMember(text, "reason", access::ReasonName(line.reason));
  text += ",\"count\":" + std::to_string(line.count) + "}\n";
  buffer_ += text;
}

Status AuditLog::Flush() {
  if (!file_.valid()) GC_TRY_VOID(OpenFile());
  while (!buffer_.empty()) {
    const ssize_t written = ::write(file_.get(), buffer_.data(), buffer_.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Fail(WriteError(errno));
    buffer_.erase(0, static_cast<size_t>(written));
    file_bytes_ += static_cast<uint64_t>(written);
    unsynced_ = true;
    if (buffer_.empty() && lost_lines_ > 0) {
      buffer_ = "{\"time\":\"" + TimeText(clock_.WallMicros()) +
                "\",\"stage\":\"custodian\",\"lost\":" + std::to_string(std::exchange(lost_lines_, 0)) +
                "}\n";
    }
  }
  return file_bytes_ < file_bytes_max_ ? Ok() : Rotate();
}

void AuditLog::Sync() {
  if (!std::exchange(unsynced_, false)) return;
  if (::fdatasync(file_.get()) != 0) LogWarning("cannot sync the audit log: " + WriteError(errno).message());
}

Status AuditLog::Rotate() {
  Sync();
  std::string stamp = TimeText(clock_.WallMicros());
  std::erase_if(stamp, [](char c) { return c == ':' || c == '-' || c == '.'; });
  const std::string name = "audit-" + stamp + ".jsonl";
  if (::renameat(directory_.get(), kFileName, directory_.get(), name.c_str()) != 0)
    return Fail(WriteError(errno));
  file_ = Fd();
  return OpenFile();
}

}  // namespace glasscase::operations
