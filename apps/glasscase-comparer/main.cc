// glasscase-comparer: says how far apart two files of strangers are, or which numbers one holds, and ends.
// Whatever they do to this process, it holds nothing and reaches nobody: files to read, one line to write.
// Started by `glasscase-worker`.
//
//   compare ABSOLUTE RELATIVE   the files at descriptors 3 (the original) and 4, within that tolerance
//   sample COUNT                at most so many numbers of the file at descriptor 3, evenly spaced
//   standard output             {"result":{...}} or {"error":"..."}
//   exit code                   0; 1: the files cannot be compared; 2: this machine cannot confine it
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <new>
#include <span>
#include <string>
#include <string_view>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <glasscase/comparison/compare.h>
#include <glasscase/comparison/parts.h>
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

[[noreturn]] void End(const Error& error, int exit_code = 1) {
  Say(json::serialize(json::object{{"error", error.message()}}) + "\n");
  ::_exit(exit_code);
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

// What is asked, by the arguments.
struct Question {
  bool compares = false;
  comparison::Tolerance tolerance{};
  uint64_t count = 0;
};

Result<Question> ReadQuestion(std::span<char*> words) {
  Question question;
  if (words.size() == 4 && std::string_view(words[1]) == "compare") {
    question.compares = true;
    GC_TRY(question.tolerance.absolute, ReadTolerance(words[2]));
    GC_TRY(question.tolerance.relative, ReadTolerance(words[3]));
    return question;
  }
  if (words.size() == 3 && std::string_view(words[1]) == "sample") {
    const std::string_view text = words[2];
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), question.count);
    if (error == std::errc() && end == text.data() + text.size() && question.count > 0) return question;
  }
  return Fail(Error::InvalidArgument("expected: compare ABSOLUTE RELATIVE, or sample COUNT"));
}

json::object Describe(const comparison::Comparison& found) {
  return {{"absolute_max", found.absolute_max}, {"class", comparison::ClassName(found.found)},
          {"different", found.different},       {"format", found.format},
          {"numbers", found.numbers},           {"original", found.original},
          {"relative_max", found.relative_max}, {"repeated", found.repeated},
          {"same_bytes", found.same_bytes}};
}

Result<json::object> Compare(const comparison::Tolerance& tolerance) {
  GC_TRY(const Bytes original, process::ReadAll(kOriginalFd, kFileBytesMax, "cannot read the original"));
  GC_TRY(const Bytes repeated, process::ReadAll(kRepeatedFd, kFileBytesMax, "cannot read the result"));
  return Describe(comparison::Compare(original, repeated, tolerance));
}

Result<json::object> Sample(uint64_t wanted) {
  GC_TRY(const Bytes file, process::ReadAll(kOriginalFd, kFileBytesMax, "cannot read the file"));
  GC_TRY(const comparison::Parts parts, comparison::ReadParts(file));
  uint64_t count = 0;
  for (const comparison::Part& part : parts.parts) count += part.numbers.size();
  const uint64_t step = std::max<uint64_t>(1, (count + wanted - 1) / wanted);
  json::array numbers;
  uint64_t index = 0;
  for (const comparison::Part& part : parts.parts)
    for (const double number : part.numbers)
      if (index++ % step == 0) numbers.push_back(std::isfinite(number) ? json::value(number) : json::value());
  return json::object{{"count", count}, {"numbers", std::move(numbers)}};
}

glasscase::Status Run(const Question& question) {
  GC_TRY(const json::object found, question.compares ? Compare(question.tolerance) : Sample(question.count));
  const std::string line = json::serialize(json::object{{"result", found}}) + "\n";
  return process::WriteAll(STDOUT_FILENO, glasscase::AsBytes(line), "cannot write");
}

}  // namespace

int main(int argc, char** argv) {
  glasscase::InitLog("glasscase-comparer");
  std::signal(SIGPIPE, SIG_IGN);
  const auto question = ReadQuestion({argv, static_cast<size_t>(argc)});
  if (!question) End(question.error());
  const auto confinement = process::Confine({.syscalls = process::SyscallProfile::kInspector,
                                             .user_offset = kComparerUser,
                                             .memory_bytes_max = kMemoryBytes,
                                             .open_files_max = kOpenFilesMax,
                                             .cpu_seconds_max = kCpuSeconds});
  if (!confinement) End(confinement.error(), 2);
  std::set_new_handler(OutOfMemory);
  if (const auto done = Run(*question); !done) End(done.error());
  ::_exit(0);
}
