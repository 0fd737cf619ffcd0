// Which processors a job runs on. For executors.
#pragma once

#include <sched.h>

#include <cstdint>
#include <string>
#include <vector>

#include <glasscase/process/fd.h>

namespace glasscase::jobs {

// Processors that are a job's while this lives.
struct ProcessorLease {
  cpu_set_t processors{};
  std::vector<Fd> locks{};  // one for each that is its own
};

// `count` of those that this thread may use (0, or more than there are: all of these). Those come first that
// no other job of this user on this machine has, whichever process started it; where too few are free, the
// rest is shared, another part of them each time. The locks lie in `folder` (empty: the one that all jobs of
// this user have), a folder of this user's that is made; where that cannot be, all are shared. Any thread.
ProcessorLease LeaseProcessors(uint32_t count, const std::string& folder);

}  // namespace glasscase::jobs
