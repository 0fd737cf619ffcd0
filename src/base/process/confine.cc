#include <glasscase/process/confine.h>

#include <dirent.h>
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

int ThreadCount() {
  DIR* const tasks = opendir("/proc/self/task");
  if (tasks == nullptr) return 1;
  int count = 0;
  while (const dirent* const entry = readdir(tasks)) count += entry->d_name[0] != '.' ? 1 : 0;
  closedir(tasks);
  return count;
}

// One by one, so that what is missing has its own reason. No mount namespace: a process without capabilities
// mounts nothing anyway, and a copy of the mounts would keep disks busy that the operator unmounts.
void EnterNamespaces(const Policy& policy, Confinement& confinement) {
  if (const int threads = ThreadCount(); threads > 1) {
    confinement.missing.push_back("namespaces and Landlock for " + std::to_string(threads - 1) +
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
  rlimit limit{};
  if (getrlimit(resource, &limit) != 0) return Fail(Error::FromErrno(errno, "getrlimit"));
  if (geteuid() != 0) value = std::min<uint64_t>(value, limit.rlim_max);
  limit = {value, value};
  return Check(setrlimit(resource, &limit) == 0, "setrlimit");
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
    Record(confinement, "open files limit", Limit(RLIMIT_NOFILE, policy.open_files_max));
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

Status DropCapabilities() {
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const std::array<__user_cap_data_struct, 2> none{};
  return Check(syscall(SYS_capset, &header, none.data()) == 0, "capset");
}

// Needs CAP_SETPCAP, so before the user changes; where it fails there was nothing to gain.
void EmptyBoundingSet() {
  for (int capability = 0; prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0; ++capability) {
  }
}

Status DropPrivileges(const Policy& policy, Confinement& confinement) {
  const bool root = geteuid() == 0;
  EmptyBoundingSet();
  if (root) {
    const Identity identity = ChooseIdentity(policy);
    const std::string what = "user " + std::to_string(identity.user);
    Status became = BecomeUser(identity);
    if (became && identity.user == 0) became = Fail(Error::FailedPrecondition("the data belongs to root"));
    Record(confinement, what, became);
  }
  GC_TRY_VOID(DropCapabilities());
  confinement.in_force.emplace_back("no capabilities");
  GC_TRY_VOID(Check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs"));
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

Result<Confinement> Confine(const Policy& policy) {
  Confinement confinement;
  const ParentDeathSignal parent_death_signal;
  EnterNamespaces(policy, confinement);
  LimitResources(policy, confinement);
  if (policy.root_directory_fd >= 0) {
    GC_TRY_VOID(Check(fchdir(policy.root_directory_fd) == 0, "enter the root directory"));
  }
  Record(confinement, policy.root_directory_fd >= 0 ? "own root directory" : "empty root directory",
         ChangeRoot(policy));
  GC_TRY_VOID(DropPrivileges(policy, confinement));
  parent_death_signal.Restore();
  const LandlockRules rules{policy.files_below_root, policy.network};
  Record(confinement, "landlock", ApplyLandlock(rules));
  const Status filtered = kSanitized ? Status(Fail(Error::Unimplemented("not applied in a sanitizer build")))
                                     : ApplySyscallProfile(policy.syscalls, policy.network);
  Record(confinement, "seccomp", filtered);
  return confinement;
}

}  // namespace glasscase::process
