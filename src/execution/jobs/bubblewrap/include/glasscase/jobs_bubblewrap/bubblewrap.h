// Runs jobs in namespaces of their own, by Debian's bubblewrap: no daemon, no image. The environment is this
// machine's /usr, read-only, with what the job mounts beside it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <glasscase/jobs/executor.h>
#include <glasscase/process/cgroup.h>

namespace glasscase::jobs {

struct BubblewrapOptions {
  std::string program = "/usr/bin/bwrap";
  // As root: jobs run as this user, to whom out/ of each job's folder belongs. The kernel does not hold root
  // to a number of processes.
  std::optional<uid_t> user{};
  // Of this machine, passed on to every job: "/dev/nvidia0". Each job sees what the one before left in them.
  std::vector<std::string> devices{};
  process::CgroupSeat cgroups{};  // where each job gets one of its own
  std::string leases{};           // Launch::leases
};

std::unique_ptr<Executor> MakeBubblewrap(BubblewrapOptions options);

}  // namespace glasscase::jobs
