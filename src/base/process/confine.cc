#include <glasscase/process/confine.h>

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include <glasscase/process/fd.h>

#include "every_thread.h"
#include "landlock.h"
#include "sanitizers.h"
#include "seccomp_profiles.h"

namespace glasscase::process {
namespace {

// Adds `what` to what is in force, or to what is missing with the reason.
void Record(Confinement& confinement, const std::string& what, const Status& status) {
  if (status) {
    confinement.in_force.push_back(what);
  } else {
    confinement.missing.push_back(status.error().WithContext(what).message());
  }
}

Status Check(bool done, const char* what) {
  if (done) return Ok();
  return Fail(Error::FromErrno(errno, what));
}

Status WriteFile(const char* path, const std::string& text) {
  const Fd file(open(path, O_WRONLY | O_CLOEXEC));
  if (!file.valid() || write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return Fail(Error::FromErrno(errno, std::string("write ") + path));
  }
  return Ok();
}

// In a namespace of its own a process has all capabilities over itself and over nothing else.
Status EnterUserNamespace() {
  const std::string uid = std::to_string(geteuid());
  const std::string gid = std::to_string(getegid());
  GC_TRY_VOID(Check(unshare(CLONE_NEWUSER) == 0, "unshare"));
  GC_TRY_VOID(WriteFile("/proc/self/setgroups", "deny"));
  GC_TRY_VOID(WriteFile("/proc/self/uid_map", uid + " " + uid + " 1"));
  return WriteFile("/proc/self/gid_map", gid + " " + gid + " 1");
}

// One by one, so that what is missing has its own reason. No mount namespace: a process without capabilities
// mounts nothing anyway, and a copy of the mounts would keep disks busy that the operator unmounts.
void EnterNamespacesOneByOne(const Policy& policy, Confinement& confinement) {
  if (const int threads = EveryThread().Count(); threads > 1) {
    confinement.missing.push_back("namespaces for " + std::to_string(threads - 1) +
                                  " threads that were made before");
  }
  if (geteuid() != 0) Record(confinement, "user namespace", EnterUserNamespace());
  if (!policy.network) {
    Record(confinement, "network namespace", Check(unshare(CLONE_NEWNET) == 0, "unshare"));
  }
  Record(confinement, "ipc namespace", Check(unshare(CLONE_NEWIPC) == 0, "unshare"));
  Record(confinement, "uts namespace", Check(unshare(CLONE_NEWUTS) == 0, "unshare"));
}

Status Limit(__rlimit_resource resource, uint64_t value) {
  rlimit limit{value, value};
  return Check(setrlimit(resource, &limit) == 0, "setrlimit");
}

// Raised where it must be and may be, else what the system gives: the number tells.
void LimitOpenFiles(uint64_t value, Confinement& confinement) {
  rlimit limit{};
  if (!Limit(RLIMIT_NOFILE, value) && getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    value = limit.rlim_max;
    Record(confinement, "open files limit", Limit(RLIMIT_NOFILE, value));
    return;
  }
  confinement.in_force.push_back("open files limit");
}

// SIGXCPU ends the process at the limit, SIGKILL a second later one that blocks it: so the supervisor sees
// who is to blame.
Status LimitCpuTime(uint64_t seconds) {
  const rlimit limit{seconds, seconds + 1};
  return Check(setrlimit(RLIMIT_CPU, &limit) == 0, "setrlimit");
}

void LimitResources(const Policy& policy, Confinement& confinement) {
  Record(confinement, "no core dumps", Limit(RLIMIT_CORE, 0));
  if (policy.open_files_max > 0) {
    LimitOpenFiles(policy.open_files_max, confinement);
  }
  if (policy.cpu_seconds_max > 0) {
    Record(confinement, "cpu time limit", LimitCpuTime(policy.cpu_seconds_max));
  }
  if (policy.memory_bytes_max > 0) {
    const Status limited = kSanitized ? Status(Fail(Error::Unimplemented("not applied in a sanitizer build")))
                                      : Limit(RLIMIT_DATA, policy.memory_bytes_max);
    Record(confinement, "memory limit", limited);
  }
}

// An empty directory without a name, made by nobody and cleaned up by nobody: that of a process which has
// ended, in /proc. (Chromium's sandbox does the same.) A child that shares our root directory changes it to
// its own fdinfo and ends.
Status EnterEmptyRoot() {
  const auto child = static_cast<pid_t>(syscall(SYS_clone, CLONE_FS, nullptr, nullptr, nullptr, nullptr));
  if (child == 0) {
    const bool done = chroot("/proc/self/fdinfo") == 0 && chdir("/") == 0;
    _exit(done ? 0 : errno);
  }
  if (child < 0) return Fail(Error::FromErrno(errno, "clone"));
  int status = 0;
  while (waitpid(child, &status, __WALL) < 0) {
    if (errno != EINTR) return Fail(Error::FromErrno(errno, "waitpid"));
  }
  if (status == 0) return Ok();
  return Fail(Error::FromErrno(WIFEXITED(status) ? WEXITSTATUS(status) : EIO, "chroot"));
}

Status ChangeRoot(const Policy& policy) {
  if (policy.root_directory_fd < 0) return EnterEmptyRoot();
  GC_TRY_VOID(Check(chroot(".") == 0, "chroot"));
  return Check(chdir("/") == 0, "chdir");
}

// What we become, as root.
struct Identity {
  uid_t user;
  gid_t group;
};

Identity ChooseIdentity(const Policy& policy) {
  if (!policy.user) return {kUserBase + policy.user_offset, kUserBase + policy.user_offset};
  struct stat status {};
  const bool owned = policy.root_directory_fd >= 0 && fstat(policy.root_directory_fd, &status) == 0 &&
                     status.st_uid == *policy.user;
  return {*policy.user, owned ? status.st_gid : *policy.user};
}

Status BecomeUser(const Identity& identity) {
  GC_TRY_VOID(Check(setgroups(0, nullptr) == 0, "setgroups"));
  GC_TRY_VOID(Check(setresgid(identity.group, identity.group, identity.group) == 0, "setresgid"));
  return Check(setresuid(identity.user, identity.user, identity.user) == 0, "setresuid");
}

int DropCapabilitiesOfThread() {
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const std::array<__user_cap_data_struct, 2> none{};
  if (syscall(SYS_capset, &header, none.data()) != 0) return errno;
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? 0 : errno;
}

int landlock_ruleset = -1;  // for the threads; a handler takes no argument
int ApplyLandlockToThread() {
  return syscall(SYS_landlock_restrict_self, landlock_ruleset, 0) == 0 ? 0 : errno;
}

Status ApplyLandlock(const Policy& policy, const EveryThread& threads) {
  GC_TRY(const Fd ruleset, MakeLandlockRuleset({.files_below_working_directory = policy.files_below_root,
                                                .network = policy.network,
                                                .connect_ports = policy.connect_ports,
                                                .system_configuration = policy.looks_names_up}));
  landlock_ruleset = ruleset.get();
  Status applied = threads.Run(ApplyLandlockToThread);
  landlock_ruleset = -1;
  return applied;
}

// Needs CAP_SETPCAP, so before the user changes; where it fails there was nothing to gain.
void EmptyBoundingSet() {
  for (int capability = 0; prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0; ++capability) {
  }
}

Status DropPrivileges(const Policy& policy, const EveryThread& threads, Confinement& confinement) {
  EmptyBoundingSet();
  if (geteuid() == 0) {
    const Identity identity = ChooseIdentity(policy);
    const std::string what = "user " + std::to_string(identity.user);
    Status became = BecomeUser(identity);
    if (became && identity.user == 0) became = Fail(Error::FailedPrecondition("the data belongs to root"));
    Record(confinement, what, became);
  }
  const Status dropped = threads.Run(DropCapabilitiesOfThread);
  if (!dropped) return Fail(dropped.error().WithContext("drop capabilities"));
  confinement.in_force.emplace_back("no capabilities");
  confinement.in_force.emplace_back("no new privileges");
  // Same-user processes may neither trace it nor read its memory or descriptors.
  GC_TRY_VOID(Check(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0, "PR_SET_DUMPABLE"));
  confinement.in_force.emplace_back("not traceable");
  return Ok();
}

// The kernel forgets the parent death signal when a process changes its user.
class ParentDeathSignal {
 public:
  ParentDeathSignal() : parent_(getppid()) { prctl(PR_GET_PDEATHSIG, &signal_); }
  void Restore() const {
    if (signal_ == 0) return;
    prctl(PR_SET_PDEATHSIG, signal_);
    if (getppid() != parent_) raise(signal_);  // it died meanwhile
  }

 private:
  pid_t parent_;
  int signal_ = 0;
};

}  // namespace

Confinement EnterNamespaces(const Policy& policy) {
  Confinement confinement;
  const ParentDeathSignal parent_death_signal;
  EnterNamespacesOneByOne(policy, confinement);
  parent_death_signal.Restore();
  return confinement;
}

Result<Confinement> Confine(const Policy& policy) { return Confine(policy, EnterNamespaces(policy)); }

Result<Confinement> Confine(const Policy& policy, Confinement confinement) {
  const ParentDeathSignal parent_death_signal;
  const EveryThread threads;
  LimitResources(policy, confinement);
  if (policy.root_directory_fd >= 0) {
    GC_TRY_VOID(Check(fchdir(policy.root_directory_fd) == 0, "enter the root directory"));
  }
  if (!policy.looks_names_up && !policy.makes_sandboxes)
    Record(confinement, policy.root_directory_fd >= 0 ? "own root directory" : "empty root directory",
           ChangeRoot(policy));
  GC_TRY_VOID(DropPrivileges(policy, threads, confinement));
  parent_death_signal.Restore();
  if (policy.makes_sandboxes) {
    confinement.missing.emplace_back("landlock and seccomp: no sandbox can be made under them");
    return confinement;
  }
  Record(confinement, "landlock", ApplyLandlock(policy, threads));
  const Status filtered = kSanitized ? Status(Fail(Error::Unimplemented("not applied in a sanitizer build")))
                                     : ApplySyscallProfile(policy.syscalls, !policy.connect_ports.empty());
  Record(confinement, "seccomp", filtered);
  return confinement;
}

}  // namespace glasscase::process
