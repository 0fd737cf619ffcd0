// Starts a program as a child that holds nothing of ours but its lifeline. Private.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include <glasscase/core/error.h>
#include <glasscase/process/fd.h>

namespace glasscase::supervision {

struct Launched {
  pid_t pid = 0;
  Fd lifeline;  // ours: non-blocking
};

// The child has descriptors 0 (/dev/null), 1 and 2 (ours) and process::kLifelineFd, an environment of
// language, time zone and sanitizer options, no blocked signal, a process group of its own (a terminal's ^C
// reaches us alone), "/" as working directory, and dies with us. It begins in that cgroup, a folder, if it
// may; -1: in ours.
Result<Launched> Launch(const std::string& program, const std::vector<std::string>& arguments,
                        int cgroup = -1);

// Gives up, for us and all that we start: core dumps, being traced, and as root the capabilities that nobody
// here needs.
Status GiveUpOwnRights();

}  // namespace glasscase::supervision
