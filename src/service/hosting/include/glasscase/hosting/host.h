// The host process: holds one owner's weights and runs them for callers it decides about itself. What it is
// given comes over the supervisor's lifeline; main() takes its rights away before anything foreign arrives.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <glasscase/core/clock.h>
#include <glasscase/core/error.h>
#include <glasscase/inference/engine.h>
#include <glasscase/process/confine.h>
#include <glasscase/process/fd.h>

namespace glasscase::hosting {

struct HostOptions {
  uint32_t slot = 0;
  uint64_t memory_bytes = uint64_t{2} << 30;
  uint32_t threads = 1;
  int64_t call_deadline_ms = 10'000;
  int64_t hard_grace_ms = 2'000;  // after the deadline a run that does not end costs the process its life
  process::Confinement confinement = {};  // told to the custodian
};

// Exit status after a model overran its limits; the custodian has been told which.
inline constexpr int kExitModelFault = 70;

class Host {
 public:
  // `engine` and `clock` outlive it. `end_process` is _exit, except in tests.
  Host(HostOptions options, inference::Engine& engine, const Clock& clock, Fd lifeline,
       std::function<void(int)> end_process);
  ~Host();

  // Says kReady and serves until the supervisor says kShutDown or is gone.
  void Run();

 private:
  class Control;
  std::unique_ptr<Control> control_;
};

}  // namespace glasscase::hosting
