#include "children.h"

#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace glasscase::supervision {
namespace {

// What a process brings upon itself, resource limits included.
constexpr std::array kCrashSignals = {SIGABRT, SIGSEGV, SIGBUS,  SIGFPE, SIGILL,
                                      SIGTRAP, SIGSYS,  SIGXCPU, SIGXFSZ};

}  // namespace

std::string Name(const ChildId& id) {
  std::string name(process::ProcessKindName(id.kind));
  const bool numbered = id.kind == process::ProcessKind::kHost ||
                        id.kind == process::ProcessKind::kInspector ||
                        id.kind == process::ProcessKind::kWorker;
  return numbered ? name + " " + std::to_string(id.slot) : name;
}

Death ReadDeath(int wait_status, bool end_requested) {
  if (WIFEXITED(wait_status)) {
    const int code = WEXITSTATUS(wait_status);
    return {.clean = code == 0, .words = "exit code " + std::to_string(code)};
  }
  const int signal_number = WTERMSIG(wait_status);
  const bool crash =
      std::find(kCrashSignals.begin(), kCrashSignals.end(), signal_number) != kCrashSignals.end();
  return {.from_outside = !crash && !end_requested,
          .words = "signal " + std::to_string(signal_number) + " (" + strsignal(signal_number) + ")"};
}

}  // namespace glasscase::supervision
