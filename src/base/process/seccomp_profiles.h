// Which system calls a process keeps. Private to confine.cc.
#pragma once

#include <glasscase/core/error.h>
#include <glasscase/process/confine.h>

namespace glasscase::process {

// Installs the allow-list of `profile` in all threads. Needs no_new_privs. From then on other calls fail
// with EPERM (clone3 with ENOSYS, so that glibc falls back to clone), and the list can only shrink.
// `connects`: the custodian may connect (where to is Landlock's and the network namespace's business).
Status ApplySyscallProfile(SyscallProfile profile, bool connects);

}  // namespace glasscase::process
