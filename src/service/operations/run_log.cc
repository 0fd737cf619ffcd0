#include "run_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include <glasscase/core/bytes.h>
#include <glasscase/process/file_io.h>

namespace glasscase::operations {
namespace {

constexpr size_t kPieceBytes = 256 * 1024;
constexpr size_t kCharacterBytesMax = 4;
constexpr char kDropped[] = "\n---- the run has printed more than is kept: the rest is dropped ----\n";

std::string NameOf(const Uuid& run) { return run.ToString() + ".log"; }

uint64_t SizeOf(const Fd& file) {
  struct stat facts {};
  return ::fstat(file.get(), &facts) == 0 ? static_cast<uint64_t>(facts.st_size) : UINT64_MAX;
}

// Of the character that begins `rest`; 0: none of UTF-8 does.
size_t CharacterLength(std::string_view rest) {
  for (size_t length = 1; length <= std::min(kCharacterBytesMax, rest.size()); ++length)
    if (IsUtf8(rest.substr(0, length))) return length;
  return 0;
}

// How many bytes at its end may become a character when more come.
size_t UnfinishedAtEnd(std::string_view bytes) {
  for (size_t count = 1; count < kCharacterBytesMax && count <= bytes.size(); ++count) {
    const auto lead = static_cast<uint8_t>(bytes[bytes.size() - count]);
    if (lead < 0x80) return 0;
    if (lead < 0xC0) continue;
    const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    return length > count ? count : 0;
  }
  return 0;
}

Status Write(const Fd& log, std::string_view text) {
  if (SizeOf(log) > RunLogs::kBytesMax - std::min<uint64_t>(RunLogs::kBytesMax, text.size())) return Ok();
  return process::WriteAll(log.get(), AsBytes(text), "cannot write what a run prints");
}

std::string AsUtf8(std::string bytes) {
  if (IsUtf8(bytes)) return bytes;
  for (size_t at = 0; at < bytes.size();) {
    const size_t length = CharacterLength(std::string_view(bytes).substr(at));
    if (length == 0) bytes[at] = '?';
    at += std::max<size_t>(1, length);
  }
  return bytes;
}

}  // namespace

Result<Fd> RunLogs::Begin(const catalog::Run& run, const std::string& why) const {
  Fd log(::openat(folder_.get(), NameOf(run.id).c_str(),
                  O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!log.valid())
    return Fail(
        Error::Internal(Error::FromErrno(errno, "cannot make the file for what the run prints").message()));
  if (run.attempts > 1 || SizeOf(log) > 0)
    GC_TRY_VOID(Write(log, "\n---- attempt " + std::to_string(run.attempts) +
                               (why.empty() ? "" : ", because " + why) + " ----\n"));
  return log;
}

Status RunLogs::Add(const Fd& log, std::string_view printed) {
  constexpr uint64_t kOfRun = kBytesMax - kOwnBytesMax;
  const uint64_t size = SizeOf(log);
  if (size > kOfRun) return Ok();
  if (printed.size() <= kOfRun - size) return Write(log, printed);
  return Write(log, std::string(printed.substr(0, kOfRun - size)) + kDropped);
}

Result<RunLogs::Printed> RunLogs::Read(const Uuid& run, uint64_t from, bool more) const {
  const Fd file(::openat(folder_.get(), NameOf(run).c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!file.valid() && errno == ENOENT) return Printed{.text = {}, .next = from};
  if (!file.valid()) return Fail(Error::FromErrno(errno, "cannot open what the run has printed"));
  std::string bytes(kPieceBytes, '\0');
  const ssize_t got = ::pread(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(from));
  if (got < 0) return Fail(Error::FromErrno(errno, "cannot read what the run has printed"));
  const bool is_cut = more || static_cast<size_t>(got) == kPieceBytes;
  bytes.resize(static_cast<size_t>(got));
  if (is_cut) bytes.resize(bytes.size() - UnfinishedAtEnd(bytes));
  const uint64_t next = from + bytes.size();
  return Printed{.text = AsUtf8(std::move(bytes)), .next = next};
}

}  // namespace glasscase::operations
