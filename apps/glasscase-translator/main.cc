// glasscase-translator: turns one foreign model into ONNX, compares the two, and ends. Whatever the file does
// to this process, it holds nothing and reaches nobody: files to read, two to write (their
// numbers and words: glasscase/translating/program.h). On its standard output it says lines of JSON:
// progress, then
// {"result":...} or {"error":...}. Started by `glasscase translate` and by workers.
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#include <boost/json.hpp>

#include <glasscase/core/log.h>
#include <glasscase/inference_onnxruntime/engine.h>
#include <glasscase/pickle/names.h>
#include <glasscase/process/confine.h>
#include <glasscase/process/file_io.h>
#include <glasscase/translating/program.h>
#include <glasscase/translation/read.h>

#include "report.h"
#include "translator.h"

namespace {

namespace inference = glasscase::inference;
namespace process = glasscase::process;
namespace translating = glasscase::translating;
namespace translation = glasscase::translation;
namespace translator = glasscase::translator;
using glasscase::Bytes;
using glasscase::Error;
using glasscase::Fail;
using glasscase::Result;
using glasscase::Status;

constexpr uint64_t kMemoryBytes = uint64_t{8} << 30;
constexpr uint64_t kOpenFilesMax = 64;
constexpr uint32_t kTranslatorUser = 5;  // user_offset; hosts begin at 10
static_assert(translating::kDataBytesMax == translation::kDataBytesMax);

[[noreturn]] void End(const Error& error) {
  (void)translator::WriteWhole(STDOUT_FILENO, translator::ErrorLine(error));
  std::exit(1);
}

struct Words {
  std::vector<std::string> data;  // their names
  uint64_t seconds = 3'600;       // of processor time
  bool only_names = false;
};

Result<Words> ReadWords(int argc, char** argv) {
  Words words;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view word = argv[i];
    const std::string_view value = argv[i + 1];
    if (word == translating::kDataWord && words.data.size() < translating::kDataFilesMax) {
      words.data.emplace_back(value);
    } else if (word == translating::kOnlyWord && value == translating::kNames) {
      words.only_names = true;
    } else if (word == translating::kSecondsWord &&
               std::from_chars(value.data(), value.data() + value.size(), words.seconds).ec == std::errc() &&
               words.seconds <= translating::kSecondsMax) {
      continue;
    } else {
      return Fail(Error::InvalidArgument("unknown word " + std::string(word)));
    }
  }
  return words;
}

Result<Bytes> ReadFile(int fd, uint64_t bytes_max) {
  struct stat facts {};
  if (::fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode))
    return Fail(Error::InvalidArgument("it is not a plain file"));
  if (static_cast<uint64_t>(facts.st_size) > bytes_max)
    return Fail(Error::InvalidArgument("the file has more than " + std::to_string(bytes_max) + " bytes"));
  return process::ReadAll(fd, bytes_max, "cannot read it");
}

// One file after the other, so that one at a time is in memory. What cannot be read is said in the evidence.
std::vector<translation::EvidenceData> ReadData(const std::vector<std::string>& names, uint32_t features) {
  std::vector<translation::EvidenceData> data;
  int fd = translating::kDataFd;
  for (const std::string& name : names) {
    const auto bytes = ReadFile(fd++, translation::kDataBytesMax);
    auto ranges = bytes ? translation::ReadRanges(*bytes, features) : Fail(bytes.error());
    data.push_back(ranges ? translation::EvidenceData{.name = name, .ranges = *std::move(ranges)}
                          : translation::EvidenceData{.name = name, .why_not = ranges.error().message()});
  }
  return data;
}

Status Run(inference::Engine& engine, const Words& words) {
  GC_TRY(const Bytes file, ReadFile(translating::kModelFd, translation::kFileBytesMax));
  translator::Progress progress(STDOUT_FILENO);
  GC_TRY(
      const translator::Translation made,
      translator::Translate(
          file, engine, [&](uint32_t features) { return ReadData(words.data, features); },
          [&](std::string_view step, uint64_t done, uint64_t total) { progress.Show(step, done, total); }));
  GC_TRY_VOID(translator::WriteWhole(translating::kEvidenceFd, made.evidence));
  if (!made.why_not.empty())
    return Fail(Error::FailedPrecondition("the translation is refused: " + made.why_not));
  GC_TRY_VOID(translator::WriteWhole(translating::kOnnxFd, made.onnx));
  return translator::WriteWhole(STDOUT_FILENO, "{\"result\":" + made.summary + "}\n");
}

Status SayNames() {
  GC_TRY(const Bytes file, ReadFile(translating::kModelFd, translation::kFileBytesMax));
  const glasscase::pickle::Names names = glasscase::pickle::ReadNames(file);
  const boost::json::object summary{{"imports", names.Text()}, {"pickles", names.pickles}};
  return translator::WriteWhole(STDOUT_FILENO, "{\"result\":" + boost::json::serialize(summary) + "}\n");
}

Status Confine(uint64_t seconds) {
  GC_TRY_VOID(process::Confine({.syscalls = process::SyscallProfile::kInspector,
                                .user_offset = kTranslatorUser,
                                .memory_bytes_max = kMemoryBytes,
                                .open_files_max = kOpenFilesMax,
                                .cpu_seconds_max = seconds}));
  return glasscase::Ok();
}

Status Translate(const Words& words) {
  GC_TRY_VOID(inference::WarmUpOnnxRuntime());
  GC_TRY(const auto engine, inference::MakeOnnxRuntimeEngine({.threads = 1}));
  GC_TRY_VOID(Confine(words.seconds));
  return Run(*engine, words);
}

Status Name(const Words& words) {
  GC_TRY_VOID(Confine(words.seconds));
  return SayNames();
}

[[noreturn]] void OutOfMemory() {
  // No memory is left, so these words are ready.
  constexpr std::string_view kLine =
      "{\"error\":{\"code\":\"resource_exhausted\",\"message\":\"the translation took more memory than it "
      "may\"}}\n";
  (void)translator::WriteWhole(STDOUT_FILENO, kLine);
  ::_exit(1);
}

}  // namespace

int main(int argc, char** argv) {
  glasscase::InitLog("glasscase-translator");
  std::signal(SIGPIPE, SIG_IGN);
  const auto words = ReadWords(argc, argv);
  if (!words) End(words.error());
  std::set_new_handler(OutOfMemory);
  if (const Status done = words->only_names ? Name(*words) : Translate(*words); !done) End(done.error());
  ::_exit(0);
}
