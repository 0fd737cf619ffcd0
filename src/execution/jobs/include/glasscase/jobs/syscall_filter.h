// Which system calls a job may not make: those that reach what namespaces do not divide, and those by which
// sandboxes were left before. Trainers need many others, so this is a list of refusals; what it lets through
// acts inside the job's own namespaces. For executors.
#pragma once

#include <string>

#include <glasscase/core/error.h>
#include <glasscase/process/fd.h>

namespace glasscase::jobs {

// The filter as bubblewrap takes it, in a file without a name, at its beginning.
Result<Fd> MakeSyscallFilter();

// The same as a runtime of the Open Container Initiative takes it (config.json, linux.seccomp), but that a
// new user namespace may be made: the first program inside makes one, and refuses others.
std::string SyscallFilterForRuntime();

}  // namespace glasscase::jobs
