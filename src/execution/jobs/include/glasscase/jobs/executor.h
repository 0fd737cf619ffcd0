// Runs a job: one program of a stranger, in a sandbox.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <glasscase/core/error.h>

namespace glasscase::jobs {

struct Limits {
  uint32_t cpus = 1;
  uint32_t processes = 256;  // and threads, at one time
  uint64_t memory_bytes = uint64_t{2} << 30;
  uint64_t disk_bytes = uint64_t{4} << 30;         // of /out
  uint64_t temporary_bytes = uint64_t{256} << 20;  // of /tmp and /dev/shm together, each
  uint32_t files = 100'000;                        // in /out
  uint64_t log_bytes = uint64_t{16} << 20;         // kept of what it prints
  int64_t wall_ms = 3'600'000;
  int64_t grace_ms = 5'000;  // from SIGTERM to SIGKILL
};

// A folder or file of this machine that the job sees, read-only.
struct Mount {
  std::string from;
  std::string to;
};

struct Job {
  std::string folder;           // holds in/ and out/, which the job sees as /in (read-only) and /out
  std::string image{};          // its environment: NAME@sha256:…; or, where this is empty,
  std::vector<Mount> mounts{};  // this machine's programs, and these
  std::vector<std::string> command;
  std::map<std::string, std::string> environment{};  // all of it
  mode_t umask = 022;
  Limits limits{};
};

enum class Ending : uint8_t {
  kSucceeded,
  kFailed,  // the program's own: an exit code, a signal
  kCancelled,
  kTimedOut,
  kOverMemory,
  kOverDisk,
  kNotStarted,  // ours: the sandbox could not be made, the program is not there, the machine is out of memory
};
std::string_view EndingName(Ending ending);  // "over memory"

struct Usage {
  int64_t wall_ms = 0;
  int64_t cpu_ms = 0;
  uint64_t memory_peak_bytes = 0;  // as job_cgroup.h has it; without a cgroup as it was looked at
  uint64_t disk_bytes = 0;         // of /out at the end
  uint64_t log_bytes = 0;          // printed, kept or not
};

struct JobEnd {
  Ending ending = Ending::kNotStarted;
  int exit_code = 0;  // 0 where a signal ended it
  int signal = 0;
  std::string reason;  // a sentence, for its owner; empty when it succeeded
  Usage usage{};
  std::string image{};                  // the image that ran, by its own digest: "sha256:…"
  std::string machine{};                // what it ran on, a JSON object; empty: this machine
  std::vector<std::string> in_force{};  // "network: none (namespace)"
  std::vector<std::string> missing{};   // "memory of the whole job by the kernel: no cgroup is delegated"
};

// Told of a job while it runs, on the thread that runs it.
class JobWatcher {
 public:
  virtual ~JobWatcher() = default;
  // What the job prints, both streams in the order in which they came; at most Limits::log_bytes in all.
  virtual void OnLog(std::string_view bytes) = 0;
  // Becomes readable when the job is to be cancelled; -1: never.
  virtual int cancel_fd() const { return -1; }
};

class Executor {
 public:
  virtual ~Executor() = default;

  virtual std::string_view name() const = 0;  // "bubblewrap"
  // Unavailable when this machine cannot run jobs this way, with what is missing.
  virtual Status Check() const = 0;
  // Runs the job and returns when nothing of it is left. Any thread, several jobs at once, each on a thread
  // of its own that lives until the end.
  virtual JobEnd Run(const Job& job, JobWatcher& watcher) = 0;
};

}  // namespace glasscase::jobs
