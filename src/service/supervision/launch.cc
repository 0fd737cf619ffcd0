#include "launch.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>

#include <glasscase/process/lifeline.h>

namespace glasscase::supervision {
namespace {

// Nothing else reaches the children: a variable like LD_PRELOAD or OPENSSL_CONF is a way in.
constexpr std::string_view kKeptVariables[] = {
    "LANG=",          "LC_ALL=",       "LC_CTYPE=",         "TZ=", "ASAN_OPTIONS=", "LSAN_OPTIONS=",
    "UBSAN_OPTIONS=", "TSAN_OPTIONS=", "LLVM_PROFILE_FILE="};

// What a supervisor that is root needs to start the others as their own users, and to look after them.
constexpr int kKeptCapabilities[] = {
    CAP_CHOWN,     CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER,           CAP_KILL,
    CAP_SETGID,    CAP_SETUID,       CAP_SETPCAP,         CAP_NET_BIND_SERVICE, CAP_SYS_CHROOT,
    CAP_SYS_ADMIN, CAP_SYS_RESOURCE, CAP_NET_ADMIN};  // the last: the loopback of the custodian's own network

std::vector<char*> ReducedEnvironment() {
  std::vector<char*> reduced;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    for (const std::string_view kept : kKeptVariables) {
      if (std::string_view(*variable).starts_with(kept)) reduced.push_back(*variable);
    }
  }
  reduced.push_back(nullptr);
  return reduced;
}

std::vector<char*> ArgumentPointers(const std::string& program, const std::vector<std::string>& arguments) {
  std::vector<char*> pointers = {const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) pointers.push_back(const_cast<char*>(argument.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

[[noreturn]] void Refuse(const char* why) {
  const std::string_view text(why);
  [[maybe_unused]] const ssize_t bytes = write(STDERR_FILENO, text.data(), text.size());
  _exit(127);
}

// A program that has to be there says itself that it is not.
void EnterCgroup(int cgroup) {
  const int processes = openat(cgroup, "cgroup.procs", O_WRONLY | O_CLOEXEC);
  [[maybe_unused]] const ssize_t bytes = write(processes, "0", 1);
}

// In the child, between fork and exec: async-signal-safe calls only.
[[noreturn]] void BecomeProgram(char* const* arguments, char* const* environment, int lifeline, int cgroup,
                                pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(0);  // it died before it could take us along
  setpgid(0, 0);
  if (cgroup >= 0) EnterCgroup(cgroup);
  const int null = open("/dev/null", O_RDONLY);
  if (null < 0 || dup2(null, STDIN_FILENO) < 0) Refuse("glasscased: cannot open /dev/null\n");
  // dup2 onto itself would leave close-on-exec set.
  const bool moved = lifeline == process::kLifelineFd ? fcntl(lifeline, F_SETFD, 0) == 0
                                                      : dup2(lifeline, process::kLifelineFd) >= 0;
  if (!moved || syscall(SYS_close_range, process::kLifelineFd + 1, ~0U, 0) != 0) {
    Refuse("glasscased: cannot hand over the lifeline\n");
  }
  if (chdir("/") != 0) Refuse("glasscased: cannot enter /\n");
  for (const int signal_number : {SIGPIPE, SIGTERM, SIGINT, SIGHUP, SIGCHLD}) signal(signal_number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  execve(arguments[0], arguments, environment);
  Refuse("glasscased: cannot start a program of this installation\n");
}

}  // namespace

Result<Launched> Launch(const std::string& program, const std::vector<std::string>& arguments, int cgroup) {
  GC_TRY(auto ends, process::MakeLifeline());
  const std::vector<char*> argument_pointers = ArgumentPointers(program, arguments);
  const std::vector<char*> environment = ReducedEnvironment();
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child == 0) {
    BecomeProgram(argument_pointers.data(), environment.data(), ends.second.get(), cgroup, parent);
  }
  if (child < 0) return Fail(Error::FromErrno(errno, "start " + program));
  fcntl(ends.first.get(), F_SETFL, O_NONBLOCK);
  return Launched{child, std::move(ends.first)};
}

Status GiveUpOwnRights() {
  const rlimit no_core{0, 0};
  if (setrlimit(RLIMIT_CORE, &no_core) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
    return Fail(Error::FromErrno(errno, "give up core dumps"));
  }
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> data{};
  if (syscall(SYS_capget, &header, data.data()) != 0) return Fail(Error::FromErrno(errno, "capget"));
  uint64_t kept = 0;
  for (const int capability : kKeptCapabilities) kept |= uint64_t{1} << capability;
  for (int capability = 0; prctl(PR_CAPBSET_READ, capability) >= 0; ++capability) {
    if ((kept >> capability & 1) == 0) prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);  // as root only
  }
  for (size_t word = 0; word < data.size(); ++word) {
    const auto mask = static_cast<uint32_t>(kept >> (32 * word));
    data[word].effective &= mask;
    data[word].permitted &= mask;
    data[word].inheritable = 0;
  }
  if (syscall(SYS_capset, &header, data.data()) != 0) return Fail(Error::FromErrno(errno, "capset"));
  return Ok();
}

}  // namespace glasscase::supervision
