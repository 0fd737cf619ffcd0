#include <glasscase/jobs/child.h>

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

namespace glasscase::jobs {
namespace {

std::vector<char*> Pointers(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

// Between fork and exec: nothing here may take memory.
class InChild {
 public:
  InChild(const Launch& launch, int input, int output, int trouble, const cpu_set_t& cpus)
      : launch_(launch),
        input_(input),
        output_(output),
        trouble_(trouble),
        cpus_(cpus),
        aside_(launch.descriptors.size()) {}

  // Not born in its cgroup: clone3 is refused in some containers.
  bool must_enter_cgroup = false;

  [[noreturn]] void Become(char* const* command, char* const* environment) {
    if (EnterCgroup() && TakeDescriptors() && TakeRights()) ::execve(command[0], command, environment);
    const int error = errno;
    (void)!::write(trouble_, &error, sizeof error);
    ::_exit(127);
  }

 private:
  bool EnterCgroup() const {
    if (!must_enter_cgroup) return true;
    const int processes = ::openat(launch_.cgroup, "cgroup.procs", O_WRONLY | O_CLOEXEC);
    return processes >= 0 && ::write(processes, "0", 1) == 1;
  }
  // Those of the job at their numbers, the one for trouble above them until exec, and no other. Each goes
  // aside first, since its number may be another's: to wherever is free, since the parent may have any open.
  bool TakeDescriptors() {
    const int above = 3 + static_cast<int>(aside_.size());
    const auto put_aside = [above](int from, int& to) {
      to = ::fcntl(from, F_DUPFD_CLOEXEC, above);
      return to >= 0;
    };
    int trouble = -1;
    if (!put_aside(trouble_, trouble)) return false;
    trouble_ = trouble;
    for (size_t i = 0; i < aside_.size(); ++i)
      if (!put_aside(launch_.descriptors[i].first, aside_[i])) return false;
    if (::dup2(input_, 0) < 0 || ::dup2(output_, 1) < 0 || ::dup2(output_, 2) < 0) return false;
    for (size_t i = 0; i < aside_.size(); ++i)
      if (::dup2(aside_[i], launch_.descriptors[i].second) < 0) return false;
    return ::syscall(SYS_close_range, above, ~0U, CLOSE_RANGE_CLOEXEC) == 0;
  }
  bool TakeRights() const {
    if (::setsid() < 0 || ::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return false;
    if (launch_.cpus > 0 && ::sched_setaffinity(0, sizeof cpus_, &cpus_) != 0) return false;
    for (const auto& [what, value] : launch_.limits) {
      const rlimit limit{.rlim_cur = value, .rlim_max = value};
      if (::setrlimit(static_cast<__rlimit_resource>(what), &limit) != 0) return false;
    }
    ::umask(launch_.umask);
    return !launch_.user || BecomeUser(*launch_.user);
  }
  // By the kernel's own calls: the C library's would tell all threads that it knows of, and wait for those of
  // the parent, of which this child of clone3 has none.
  static bool BecomeUser(uid_t user) {
    // Changing the user clears the wish to die with the parent.
    return ::syscall(SYS_setgroups, 0, nullptr) == 0 && ::syscall(SYS_setresgid, user, user, user) == 0 &&
           ::syscall(SYS_setresuid, user, user, user) == 0 && ::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0;
  }

  const Launch& launch_;
  int input_;
  int output_;
  int trouble_;
  const cpu_set_t& cpus_;
  std::vector<int> aside_;  // the job's, by the numbers that were free
};

struct Pipe {
  Fd read, write;
};

Result<Pipe> MakePipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return Fail(Error::FromErrno(errno, "cannot make a pipe"));
  return Pipe{Fd(ends[0]), Fd(ends[1])};
}

// As fork(2), into that cgroup.
pid_t ForkInto(int cgroup) {
  clone_args arguments{};
  arguments.flags = CLONE_INTO_CGROUP;
  arguments.exit_signal = SIGCHLD;
  arguments.cgroup = static_cast<uint64_t>(cgroup);
  return static_cast<pid_t>(::syscall(SYS_clone3, &arguments, sizeof arguments));
}

// What the child said before it became the program; 0 when it did.
int TroubleOf(int trouble) {
  int error = 0;
  ssize_t got = 0;
  do {
    got = ::read(trouble, &error, sizeof error);
  } while (got < 0 && errno == EINTR);
  return got == sizeof error ? error : 0;
}

}  // namespace

Result<Child> StartChild(const Launch& launch) {
  std::vector<std::string> words = launch.command, variables;
  for (const auto& [name, value] : launch.environment) variables.emplace_back(name).append("=").append(value);
  std::vector<char*> command = Pointers(words), environment = Pointers(variables);
  const Fd input(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!input.valid()) return Fail(Error::FromErrno(errno, "cannot open /dev/null"));
  GC_TRY(Pipe output, MakePipe());
  GC_TRY(Pipe trouble, MakePipe());
  ProcessorLease processors =
      launch.cpus > 0 ? LeaseProcessors(launch.cpus, launch.leases) : ProcessorLease{};

  InChild in_child(launch, input.get(), output.write.get(), trouble.write.get(), processors.processors);
  pid_t pid = launch.cgroup < 0 ? ::fork() : ForkInto(launch.cgroup);
  if (pid < 0 && launch.cgroup >= 0 &&
      (errno == ENOSYS || errno == EPERM || errno == E2BIG || errno == EINVAL)) {
    in_child.must_enter_cgroup = true;
    pid = ::fork();
  }
  if (pid < 0) return Fail(Error::FromErrno(errno, "cannot start a process"));
  if (pid == 0) in_child.Become(command.data(), environment.data());

  Child child{.pid = pid, .handle = OpenProcess(pid), .output = {}};
  trouble.write = Fd();
  const int error = child.handle.valid() ? TroubleOf(trouble.read.get()) : errno;
  if (error != 0) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return Fail(Error::FromErrno(error, "cannot start " + words[0]));
  }
  child.output = std::move(output.read);
  child.processors = std::move(processors);
  ::fcntl(child.output.get(), F_SETFL, O_NONBLOCK);
  return child;
}

Fd OpenProcess(pid_t pid) { return Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))); }

void KillProcess(const Fd& handle) { ::syscall(SYS_pidfd_send_signal, handle.get(), SIGKILL, nullptr, 0); }

bool HasEnded(const Fd& handle) {
  pollfd wait{.fd = handle.get(), .events = POLLIN, .revents = 0};
  return !handle.valid() || ::poll(&wait, 1, 0) > 0;
}

}  // namespace glasscase::jobs
