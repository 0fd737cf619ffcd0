// glasscase-host: one owner's models, run for callers it decides about itself. Started by glasscased.
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <string>
#include <thread>

#include <CLI/CLI.hpp>

#include <glasscase/core/clock.h>
#include <glasscase/core/log.h>
#include <glasscase/hosting/host.h>
#include <glasscase/inference_onnxruntime/engine.h>
#include <glasscase/process/confine.h>
#include <glasscase/process/lifeline.h>

namespace {

namespace hosting = glasscase::hosting;
namespace inference = glasscase::inference;
namespace process = glasscase::process;
using glasscase::Error;
using glasscase::Fd;
using glasscase::InitLog;
using glasscase::LogError;
using glasscase::Status;
using glasscase::SystemClock;

constexpr uint32_t kFirstHostUser = 10;  // user_offset of slot 0
constexpr uint64_t kOpenFilesMax = 1024;

[[noreturn]] void Die(const std::string& what, const Error& error) {
  LogError(what + ": " + error.message());
  std::exit(1);
}

}  // namespace

int main(int argc, char** argv) {
  InitLog("glasscase-host");
  hosting::HostOptions options;
  options.threads = std::max(std::thread::hardware_concurrency(), 1U);
  CLI::App app("Runs one owner's models. Started by glasscased, not by hand.");
  app.add_option("--slot", options.slot, "number of this host")->required();
  app.add_option("--memory", options.memory_bytes, "bytes that it may use");
  app.add_option("--threads", options.threads, "threads for one run of a larger model")
      ->check(CLI::Range(1, 1024));
  app.add_option("--call-deadline-ms", options.call_deadline_ms, "longest time for one call")
      ->check(CLI::Range(1, 3'600'000));
  CLI11_PARSE(app, argc, argv);
  std::signal(SIGINT, SIG_IGN);  // the terminal's Ctrl-C is the supervisor's to handle

  // Nothing foreign has been read yet, and no thread made.
  if (const Status warm = inference::WarmUpOnnxRuntime(); !warm)
    Die("ONNX Runtime does not start", warm.error());
  auto confinement = process::Confine({.syscalls = process::SyscallProfile::kHost,
                                       .user_offset = kFirstHostUser + options.slot,
                                       .memory_bytes_max = options.memory_bytes,
                                       .open_files_max = kOpenFilesMax});
  if (!confinement) Die("cannot give up rights", confinement.error());
  options.confinement = std::move(*confinement);

  auto engine = inference::MakeOnnxRuntimeEngine({.threads = options.threads});
  if (!engine) Die("ONNX Runtime does not start", engine.error());
  const SystemClock clock;
  hosting::Host host(std::move(options), **engine, clock, Fd(process::kLifelineFd),
                     [](int status) { ::_exit(status); });
  host.Run();
  ::_exit(0);  // a run under way would hold up the destructors
}
