// glasscase-enclose: around a container and inside it. Linked statically, since inside it runs in a foreign
// image. Two ways to call it:
//
//   glasscase-enclose outside STATUS-FD PID-FILE COMMAND...
//     In a user, mount and process namespace of its own, where the caller's user is root and nobody else
//     exists, runs COMMAND to its end; then, if COMMAND wrote a process to PID-FILE, waits for that one too.
//     Ends everything inside with itself. Says on STATUS-FD: "pid N" (the first process inside, as the caller
//     sees it), "began" (PID-FILE is there), "ended STATUS" (as wait(2) has it).
//   glasscase-enclose inside USER VARIABLE COMMAND...
//     As the first process of a container: runs COMMAND as USER in a user namespace of its own, without
//     rights and without VARIABLE (empty: with all), and waits for all that comes from it. Its exit code is
//     COMMAND's, or 128 and the signal.
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

constexpr int kOurFault = 125;
constexpr int kCannotRun = 126;
constexpr int kNotThere = 127;

[[noreturn]] void Die(const char* what) {
  std::fprintf(stderr, "%s: %s\n", what, std::strerror(errno));
  ::_exit(kOurFault);
}

void WriteFile(const char* path, const char* text) {
  const int file = ::open(path, O_WRONLY | O_CLOEXEC);
  if (file < 0 || ::write(file, text, std::strlen(text)) < 0) Die(path);
  ::close(file);
}

// A namespace in which the caller's user has the number `inside`, and no other exists.
void EnterUserNamespace(int flags, unsigned inside) {
  char users[64], groups[64];
  std::snprintf(users, sizeof users, "%u %u 1", inside, ::geteuid());
  std::snprintf(groups, sizeof groups, "%u %u 1", inside, ::getegid());
  if (::unshare(CLONE_NEWUSER | flags) != 0) Die("no namespaces of its own");
  WriteFile("/proc/self/setgroups", "deny");
  WriteFile("/proc/self/uid_map", users);
  WriteFile("/proc/self/gid_map", groups);
}

pid_t Fork() {
  const pid_t child = ::fork();
  if (child < 0) Die("cannot start a process");
  return child;
}

[[noreturn]] void Become(char* const* command) {
  ::execvp(command[0], command);
  const int code = errno == ENOENT ? kNotThere : kCannotRun;
  std::fprintf(stderr, "cannot run %s: %s\n", command[0], std::strerror(errno));
  ::_exit(code);
}

// The wait status of `wanted`; whatever else ends is reaped.
int WaitFor(pid_t wanted) {
  while (true) {
    int status = 0;
    const pid_t ended = ::wait(&status);
    if (ended == wanted) return status;
    if (ended < 0 && errno != EINTR) Die("lost a process");
  }
}

int CodeOf(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }

// ---- outside ----

// The process that `path` names; 0: none.
pid_t ReadPid(const char* path) {
  char text[16] = {};
  const int file = ::open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0 || ::read(file, text, sizeof text - 1) <= 0) return 0;
  ::close(file);
  return static_cast<pid_t>(std::strtol(text, nullptr, 10));
}

// The runtime would put the container in a cgroup beside the one that this job is held in.
void KeepCgroup() {
  constexpr char kCgroups[] = "/sys/fs/cgroup";
  struct statfs facts {};
  if (::statfs(kCgroups, &facts) != 0 || facts.f_type != CGROUP2_SUPER_MAGIC) return;
  if (::mount(nullptr, kCgroups, nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
              nullptr) != 0)
    Die("its cgroup is not kept from it");
}

// The first process inside. A process that the command started and left may end before the command does.
[[noreturn]] void LookAfter(int status_fd, const char* pid_file, char* const* command) {
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0 ||
      ::mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0 ||
      ::mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777") != 0)
    Die("no files of its own");
  KeepCgroup();
  const pid_t first = Fork();
  if (first == 0) {
    ::close(status_fd);
    Become(command);
  }
  constexpr int kEarlyMax = 1'024;
  struct Early {
    pid_t pid;
    int status;
  };
  static Early early[kEarlyMax];
  int count = 0, status = 0;
  for (pid_t ended = 0; (ended = ::wait(&status)) != first;) {
    if (ended < 0 && errno != EINTR) Die("lost a process");
    if (ended > 0 && count < kEarlyMax) early[count++] = {ended, status};
  }
  const pid_t left = ReadPid(pid_file);
  if (left == 0) {
    dprintf(status_fd, "ended %d\n", status);
    ::_exit(CodeOf(status));
  }
  dprintf(status_fd, "began\n");
  const Early* known = nullptr;
  for (int i = 0; i < count; ++i)
    if (early[i].pid == left) known = &early[i];
  status = known != nullptr ? known->status : WaitFor(left);
  dprintf(status_fd, "ended %d\n", status);
  ::_exit(CodeOf(status));
}

int Outside(int status_fd, const char* pid_file, char* const* command) {
  EnterUserNamespace(CLONE_NEWNS | CLONE_NEWPID, 0);
  int gate[2];
  if (::pipe2(gate, O_CLOEXEC) != 0) Die("cannot make a pipe");
  const pid_t child = Fork();
  if (child == 0) {
    // It dies with us; had we died before this line, the gate would never open.
    char open = 0;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::close(gate[1]);
    if (::read(gate[0], &open, 1) != 1) ::_exit(kOurFault);
    LookAfter(status_fd, pid_file, command);
  }
  dprintf(status_fd, "pid %d\n", child);
  if (::write(gate[1], "x", 1) != 1) Die("cannot go on");
  ::close(status_fd);
  return CodeOf(WaitFor(child));
}

// ---- inside ----

void DropRights() {
  for (int capability = 0; ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0; ++capability) {
  }
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const __user_cap_data_struct none[2] = {};
  if (::syscall(SYS_capset, &header, none) != 0 || ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    Die("cannot give up rights");
}

// The runtime's filter lets one user namespace be made: it is, so no other.
void RefuseNamespaces() {
  sock_filter words[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_unshare, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{.len = sizeof words / sizeof words[0], .filter = words};
  if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) Die("cannot refuse system calls");
}

int Inside(unsigned user, char* const* command) {
  const pid_t child = Fork();
  if (child == 0) {
    EnterUserNamespace(0, user);
    DropRights();
    RefuseNamespaces();
    Become(command);
  }
  DropRights();
  return CodeOf(WaitFor(child));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 4 && std::strcmp(argv[1], "outside") == 0)
    return Outside(static_cast<int>(std::strtol(argv[2], nullptr, 10)), argv[3], argv + 4);
  if (argc > 4 && std::strcmp(argv[1], "inside") == 0) {
    if (argv[3][0] != '\0') ::unsetenv(argv[3]);
    return Inside(static_cast<unsigned>(std::strtoul(argv[2], nullptr, 10)), argv + 4);
  }
  std::fputs("used by glasscase-worker, not by people\n", stderr);
  return 2;
}
