// glasscase-comparer: says how far apart two files of strangers are, and ends. Whatever they do to this
// process, it holds nothing and reaches nobody: two files to read, one line to write. Started by
// `glasscase-worker`.
//
//   standard output   {"result":{...}} or {"error":"..."}
//   descriptor 3      the original
//   descriptor 4      what came of doing it again
//   arguments         the tolerance: absolute, relative
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <cstdlib>
#include <new>
#include <string>
#include <string_view>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <glasscase/comparison/compare.h>
#include <glasscase/core/log.h>
#include <glasscase/process/confine.h>
#include <glasscase/process/file_io.h>

namespace {

namespace comparison = glasscase::comparison;
namespace json = boost::json;
namespace process = glasscase::process;
using glasscase::Bytes;
using glasscase::Error;
using glasscase::Fail;
using glasscase::Result;

constexpr int kOriginalFd = 3;
constexpr int kRepeatedFd = 4;
constexpr uint64_t kFileBytesMax = uint64_t{1} << 30;
constexpr uint64_t kMemoryBytes = uint64_t{12} << 30;
constexpr uint64_t kCpuSeconds = 600;
constexpr uint64_t kOpenFilesMax = 64;
constexpr uint32_t kComparerUser = 5;  // user_offset, as the translator's; hosts begin at 10

bool Say(std::string_view line) {
  return process::WriteAll(STDOUT_FILENO, glasscase::AsBytes(line), "cannot write").has_value();
}

[[noreturn]] void End(const Error& error) {
  Say(json::serialize(json::object{{"error", error.message()}}) + "\n");
  ::_exit(1);
}

[[noreturn]] void OutOfMemory() {
  // No memory is left, so these words are ready.
  Say("{\"error\":\"comparing the two files took more memory than it may\"}\n");
  ::_exit(1);
}

Result<double> ReadTolerance(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size() && number >= 0) return number;
  return Fail(Error::InvalidArgument("a tolerance is a number from 0"));
}

Result<comparison::Tolerance> ReadTolerance(int argc, char** argv) {
  if (argc != 3) return Fail(Error::InvalidArgument("two tolerances are expected"));
  comparison::Tolerance tolerance;
  GC_TRY(tolerance.absolute, ReadTolerance(argv[1]));
  GC_TRY(tolerance.relative, ReadTolerance(argv[2]));
  return tolerance;
}

json::object Describe(const comparison::Comparison& found) {
  return {{"absolute_max", found.absolute_max}, {"class", comparison::ClassName(found.found)},
          {"different", found.different},       {"format", found.format},
          {"numbers", found.numbers},           {"original", found.original},
          {"relative_max", found.relative_max}, {"repeated", found.repeated},
          {"same_bytes", found.same_bytes}};
}

glasscase::Status Run(const comparison::Tolerance& tolerance) {
  GC_TRY(const Bytes original, process::ReadAll(kOriginalFd, kFileBytesMax, "cannot read the original"));
  GC_TRY(const Bytes repeated, process::ReadAll(kRepeatedFd, kFileBytesMax, "cannot read the result"));
  const json::object found = Describe(comparison::Compare(original, repeated, tolerance));
  const std::string line = json::serialize(json::object{{"result", found}}) + "\n";
  return process::WriteAll(STDOUT_FILENO, glasscase::AsBytes(line), "cannot write");
}

}  // namespace

int main(int argc, char** argv) {
  glasscase::InitLog("glasscase-comparer");
  std::signal(SIGPIPE, SIG_IGN);
  const auto tolerance = ReadTolerance(argc, argv);
  if (!tolerance) End(tolerance.error());
  const auto confinement = process::Confine({.syscalls = process::SyscallProfile::kInspector,
                                             .user_offset = kComparerUser,
                                             .memory_bytes_max = kMemoryBytes,
                                             .open_files_max = kOpenFilesMax,
                                             .cpu_seconds_max = kCpuSeconds});
  if (!confinement) End(confinement.error());
  std::set_new_handler(OutOfMemory);
  if (const auto done = Run(*tolerance); !done) End(done.error());
  ::_exit(0);
}
