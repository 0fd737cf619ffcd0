// glasscase-translator: turns one foreign model into ONNX, compares the two, and ends. Whatever the file does
// to this process, it holds nothing and reaches nobody: a file to read, two to write (their
// numbers: glasscase/translating/program.h). On its standard output it says lines of JSON: progress, then
// {"result":...} or {"error":...}. Started by `glasscase translate` and by workers.
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <new>
#include <string>

#include <glasscase/core/log.h>
#include <glasscase/inference_onnxruntime/engine.h>
#include <glasscase/process/confine.h>
#include <glasscase/translating/program.h>
#include <glasscase/translation/read.h>

#include "report.h"
#include "translator.h"

namespace {

namespace inference = glasscase::inference;
namespace process = glasscase::process;
namespace translating = glasscase::translating;
namespace translator = glasscase::translator;
using glasscase::Bytes;
using glasscase::Error;
using glasscase::Fail;
using glasscase::Result;
using glasscase::Status;

constexpr uint64_t kMemoryBytes = uint64_t{8} << 30;
constexpr uint64_t kCpuSeconds = 3'600;
constexpr uint64_t kOpenFilesMax = 64;
constexpr uint32_t kTranslatorUser = 5;  // user_offset; hosts begin at 10

[[noreturn]] void End(const Error& error) {
  (void)translator::WriteWhole(STDOUT_FILENO, translator::ErrorLine(error));
  std::exit(1);
}

Result<Bytes> ReadModel(int fd) {
  struct stat facts {};
  if (::fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode))
    return Fail(Error::InvalidArgument("the model is not a plain file"));
  if (static_cast<uint64_t>(facts.st_size) > glasscase::translation::kFileBytesMax)
    return Fail(Error::InvalidArgument("the file has more than " +
                                       std::to_string(glasscase::translation::kFileBytesMax) + " bytes"));
  Bytes bytes(static_cast<size_t>(facts.st_size));
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got = ::pread(fd, bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Fail(Error::FromErrno(errno, "cannot read the model"));
    if (got == 0) return Fail(Error::InvalidArgument("the file became shorter while it was read"));
    done += static_cast<size_t>(got);
  }
  return bytes;
}

Status Run(inference::Engine& engine) {
  GC_TRY(const Bytes file, ReadModel(translating::kModelFd));
  translator::Progress progress(STDOUT_FILENO);
  GC_TRY(const translator::Translation made,
         translator::Translate(file, engine, {}, [&](std::string_view step, uint64_t done, uint64_t total) {
           progress.Show(step, done, total);
         }));
  GC_TRY_VOID(translator::WriteWhole(translating::kEvidenceFd, made.evidence));
  if (!made.why_not.empty())
    return Fail(Error::FailedPrecondition("the translation is refused: " + made.why_not));
  GC_TRY_VOID(translator::WriteWhole(translating::kOnnxFd, made.onnx));
  return translator::WriteWhole(STDOUT_FILENO, "{\"result\":" + made.summary + "}\n");
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

int main() {
  glasscase::InitLog("glasscase-translator");
  std::signal(SIGPIPE, SIG_IGN);
  if (const Status warm = inference::WarmUpOnnxRuntime(); !warm) End(warm.error());
  auto engine = inference::MakeOnnxRuntimeEngine({.threads = 1});
  if (!engine) End(engine.error());
  const auto confinement = process::Confine({.syscalls = process::SyscallProfile::kInspector,
                                             .user_offset = kTranslatorUser,
                                             .memory_bytes_max = kMemoryBytes,
                                             .open_files_max = kOpenFilesMax,
                                             .cpu_seconds_max = kCpuSeconds});
  if (!confinement) End(confinement.error());
  std::set_new_handler(OutOfMemory);
  if (const Status done = Run(**engine); !done) End(done.error());
  ::_exit(0);
}
