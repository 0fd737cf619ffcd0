#include <glasscase/jobs_bubblewrap/bubblewrap.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdint>

#include <glasscase/jobs/last_words.h>
#include <glasscase/jobs/supervise.h>
#include <glasscase/jobs/syscall_filter.h>

namespace glasscase::jobs {
namespace {

constexpr int kStatusFd = 3;
constexpr int kFilterFd = 4;
// bubblewrap outside, its first process inside; from there on it is the job.
constexpr unsigned kOwnDepth = 2;
constexpr int kAppearMs = 5'000;

// What bubblewrap says of its sandbox, as JSON documents of one number each: "child-pid" when there is one,
// "exit-code" when the program ended by itself.
class StatusPipe {
 public:
  static Result<StatusPipe> Make() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return Fail(Error::FromErrno(errno, "cannot make a pipe"));
    StatusPipe pipe;
    pipe.read_ = Fd(ends[0]);
    pipe.write_ = Fd(ends[1]);
    return pipe;
  }
  int write_end() const { return write_.get(); }
  void CloseWriteEnd() { write_ = Fd(); }

  std::optional<int> ChildPid() {
    while (!Number("child-pid")) {
      pollfd wait{.fd = read_.get(), .events = POLLIN, .revents = 0};
      if (::poll(&wait, 1, kAppearMs) <= 0 || !ReadSome()) return std::nullopt;
    }
    return Number("child-pid");
  }
  std::optional<int> ExitCode() {
    while (ReadSome()) {
    }
    return Number("exit-code");
  }

 private:
  bool ReadSome() {
    std::array<char, 1024> piece{};
    const ssize_t got = ::read(read_.get(), piece.data(), piece.size());
    if (got > 0) text_.append(piece.data(), static_cast<size_t>(got));
    return got > 0 || (got < 0 && errno == EINTR);
  }
  std::optional<int> Number(std::string_view name) const {
    const size_t at = text_.find("\"" + std::string(name) + "\":");
    if (at == std::string::npos) return std::nullopt;
    const size_t digit = text_.find_first_of("0123456789", at);
    int number = 0;
    if (digit == std::string::npos) return std::nullopt;
    const auto end = std::from_chars(text_.data() + digit, text_.data() + text_.size(), number).ptr;
    if (end == text_.data() + text_.size()) return std::nullopt;  // more digits may follow
    return number;
  }

  Fd read_, write_;
  std::string text_;
};

void Kill(const Fd& handle) { ::syscall(SYS_pidfd_send_signal, handle.get(), SIGKILL, nullptr, 0); }

bool HasEnded(const Fd& handle) {
  pollfd wait{.fd = handle.get(), .events = POLLIN, .revents = 0};
  return !handle.valid() || ::poll(&wait, 1, 0) > 0;
}

JobEnd NotStarted(std::string reason) {
  return {.ending = Ending::kNotStarted, .reason = "the sandbox could not be made: " + std::move(reason)};
}

class Bubblewrap final : public Executor {
 public:
  explicit Bubblewrap(BubblewrapOptions options) : options_(std::move(options)) {}

  std::string_view name() const override { return "bubblewrap"; }

  Status Check() const override {
    struct Silent final : JobWatcher {
      void OnLog(std::string_view) override {}
    } silent;
    std::array<char, 32> folder{"/tmp/glasscase-check-XXXXXX"};
    if (::mkdtemp(folder.data()) == nullptr) return Fail(Error::FromErrno(errno, "cannot make a folder"));
    const std::string path = folder.data();
    for (const char* below : {"/in", "/out"}) ::mkdir((path + below).c_str(), 0755);
    ::chmod(path.c_str(), 0755);
    const JobEnd end = RunIn({.folder = path, .command = {"/usr/bin/true"}}, silent);
    for (const char* below : {"/in", "/out", ""}) ::rmdir((path + below).c_str());
    if (end.ending == Ending::kSucceeded) return Ok();
    return Fail(Error::Unavailable(end.reason));
  }

  JobEnd Run(const Job& job, JobWatcher& watcher) override { return RunIn(job, watcher); }

 private:
  JobEnd RunIn(const Job& job, JobWatcher& watcher) const {
    if (!job.image.empty()) return NotStarted("bubblewrap runs no images: " + job.image);
    auto filter = MakeSyscallFilter();
    if (!filter) return NotStarted(filter.error().message());
    auto status = StatusPipe::Make();
    if (!status) return NotStarted(status.error().message());
    auto child = StartChild(LaunchOf(job, status->write_end(), filter->get()));
    status->CloseWriteEnd();
    if (!child) return NotStarted(child.error().message());
    const std::optional<int> first = status->ChildPid();
    const Fd inside(first ? static_cast<int>(::syscall(SYS_pidfd_open, *first, 0)) : -1);
    const Fd outside(::fcntl(child->handle.get(), F_DUPFD_CLOEXEC, 0));
    const Sandbox sandbox{.own_depth = kOwnDepth,
                          .kill =
                              [&] {
                                Kill(outside);
                                Kill(inside);
                              },
                          .ended = [&] { return HasEnded(inside); }};
    LastWords words(watcher);
    JobEnd end = Supervise(std::move(*child), job, sandbox, words);
    Explain(end, status->ExitCode(), words.Line(), job);
    return end;
  }

  static void Explain(JobEnd& end, std::optional<int> exit_code, const std::string& last, const Job& job) {
    const bool by_itself = end.ending == Ending::kFailed || end.ending == Ending::kSucceeded;
    if (by_itself && !exit_code) {
      const Usage used = end.usage;
      end = NotStarted(last);
      end.usage = used;
    } else if (end.ending == Ending::kFailed) {
      // A program that a signal ended: bubblewrap gives 128 and its number, as shells do.
      if (*exit_code > 128) end.signal = std::exchange(end.exit_code, 0) - 128;
      end.reason = end.signal != 0 ? "the program was ended by signal " + std::to_string(end.signal)
                                   : "the program ended with exit code " + std::to_string(end.exit_code);
      if (!last.empty()) end.reason += "; it printed last: " + last;
    }
    end.in_force = {"network: none",
                    "files: its inputs, its results and the environment, nothing else of this machine",
                    "user, processes, host name: its own namespaces",
                    "system calls: without those that reach beyond",
                    "processors: " + std::to_string(job.limits.cpus),
                    "processes and threads: " + std::to_string(job.limits.processes),
                    "memory: data of each process by the kernel, of all together looked at every " +
                        std::to_string(kWatchEveryMs) + " ms",
                    "disk: each file by the kernel, all together looked at every " +
                        std::to_string(kWatchEveryMs) + " ms",
                    "/tmp and /dev/shm: " + std::to_string(job.limits.temporary_bytes) + " bytes each"};
    end.missing = {"memory and disk of the whole job by the kernel: no cgroup and no quota is delegated"};
  }

  Launch LaunchOf(const Job& job, int status_fd, int filter_fd) const {
    const Limits& limits = job.limits;
    return {.command = CommandOf(job),
            .environment = {},
            .descriptors = {{status_fd, kStatusFd}, {filter_fd, kFilterFd}},
            .user = options_.user,
            .limits = {{RLIMIT_CORE, 0},
                       // More than the whole may have, so that it is ended with the reason.
                       {RLIMIT_FSIZE, limits.disk_bytes + limits.disk_bytes / 4},
                       {RLIMIT_DATA, limits.memory_bytes + limits.memory_bytes / 4},
                       {RLIMIT_NOFILE, 4'096}},
            .cpus = limits.cpus,
            .umask = job.umask};
  }

  std::vector<std::string> CommandOf(const Job& job) const {
    const std::string temporary = std::to_string(job.limits.temporary_bytes);
    std::vector<std::string> words = {options_.program,
                                      "--unshare-all",
                                      "--unshare-user",
                                      "--disable-userns",
                                      "--die-with-parent",
                                      "--new-session",
                                      "--cap-drop",
                                      "ALL",
                                      "--uid",
                                      "1000",
                                      "--gid",
                                      "1000",
                                      "--hostname",
                                      "job",
                                      "--clearenv",
                                      "--ro-bind",
                                      "/usr",
                                      "/usr",
                                      "--symlink",
                                      "usr/bin",
                                      "/bin",
                                      "--symlink",
                                      "usr/lib",
                                      "/lib",
                                      "--symlink",
                                      "usr/lib64",
                                      "/lib64",
                                      "--symlink",
                                      "usr/sbin",
                                      "/sbin",
                                      "--ro-bind-try",
                                      "/etc/ld.so.cache",
                                      "/etc/ld.so.cache",
                                      "--ro-bind-try",
                                      "/etc/alternatives",
                                      "/etc/alternatives",
                                      "--proc",
                                      "/proc",
                                      "--dev",
                                      "/dev",
                                      "--size",
                                      temporary,
                                      "--tmpfs",
                                      "/dev/shm",
                                      "--size",
                                      temporary,
                                      "--tmpfs",
                                      "/tmp",
                                      "--ro-bind",
                                      job.folder + "/in",
                                      "/in",
                                      "--bind",
                                      job.folder + "/out",
                                      "/out",
                                      "--chdir",
                                      "/out",
                                      "--json-status-fd",
                                      std::to_string(kStatusFd),
                                      "--seccomp",
                                      std::to_string(kFilterFd)};
    for (const Mount& mount : job.mounts) words.insert(words.end(), {"--ro-bind", mount.from, mount.to});
    // Last, so that nothing can be made beside them.
    words.insert(words.end(), {"--remount-ro", "/dev", "--remount-ro", "/"});
    for (const auto& [name, value] : job.environment) words.insert(words.end(), {"--setenv", name, value});
    // Inside, where only the job's own processes are counted.
    words.insert(words.end(),
                 {"--", "/usr/bin/prlimit", "--nproc=" + std::to_string(job.limits.processes), "--"});
    words.insert(words.end(), job.command.begin(), job.command.end());
    return words;
  }

  BubblewrapOptions options_;
};

}  // namespace

std::unique_ptr<Executor> MakeBubblewrap(BubblewrapOptions options) {
  return std::make_unique<Bubblewrap>(std::move(options));
}

}  // namespace glasscase::jobs
