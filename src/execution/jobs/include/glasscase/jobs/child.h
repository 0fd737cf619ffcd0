// Starts a program with exactly what it is given. For executors.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <glasscase/core/error.h>
#include <glasscase/jobs/processors.h>
#include <glasscase/process/fd.h>

namespace glasscase::jobs {

struct Launch {
  std::vector<std::string> command;  // begins with a path
  std::map<std::string, std::string> environment{};
  std::vector<std::pair<int, int>>
      descriptors{};                             // ours, and the number that the child has it under (from 3)
  std::optional<uid_t> user{};                   // as root: become this user and its group, and no other
  std::vector<std::pair<int, rlim_t>> limits{};  // RLIMIT_…
  uint32_t cpus = 0;                             // of those that this thread may use; 0: all of them
  std::string leases{};  // the folder in which processors are leased; empty: the one of all jobs of this user
  mode_t umask = 022;
  int cgroup = -1;  // a folder of cgroups of version 2, into which it is born
};

struct Child {
  pid_t pid = 0;
  Fd handle;  // a pidfd
  Fd output;  // both streams; not blocking
  ProcessorLease processors{};
};

// Its input is empty, and it dies with the thread that started it. NotFound when there is no such program;
// Internal for everything else.
Result<Child> StartChild(const Launch& launch);

// A process by its pidfd, which also tells when it has ended. One that is not valid has.
Fd OpenProcess(pid_t pid);
void KillProcess(const Fd& handle);
bool HasEnded(const Fd& handle);

}  // namespace glasscase::jobs
