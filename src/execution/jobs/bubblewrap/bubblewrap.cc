#include <glasscase/jobs_bubblewrap/bubblewrap.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>

#include <glasscase/jobs/last_words.h>
#include <glasscase/jobs/namespaces.h>
#include <glasscase/jobs/status_pipe.h>
#include <glasscase/jobs/supervise.h>
#include <glasscase/jobs/syscall_filter.h>

namespace glasscase::jobs {
namespace {

constexpr int kStatusFd = 3;
constexpr int kFilterFd = 4;
// bubblewrap outside, its first process inside; from there on it is the job.
constexpr unsigned kOwnDepth = 2;
constexpr uint32_t kOwnProcesses = 2;

// What bubblewrap says of its sandbox is JSON documents of one number each: "child-pid" when there is one,
// "exit-code" when the program ended by itself.
std::optional<int> Number(const std::string& said, std::string_view name) {
  const size_t at = said.find("\"" + std::string(name) + "\":");
  if (at == std::string::npos) return std::nullopt;
  const size_t digit = said.find_first_of("0123456789", at);
  int number = 0;
  if (digit == std::string::npos) return std::nullopt;
  const auto end = std::from_chars(said.data() + digit, said.data() + said.size(), number).ptr;
  if (end == said.data() + said.size()) return std::nullopt;  // more digits may follow
  return number;
}

JobEnd NotStarted(std::string reason) {
  return {.ending = Ending::kNotStarted, .reason = "the sandbox could not be made: " + std::move(reason)};
}

class Bubblewrap final : public Executor {
 public:
  explicit Bubblewrap(BubblewrapOptions options) : options_(std::move(options)) {}

  std::string_view name() const override { return "bubblewrap"; }

  Status Check() const override {
    GC_TRY_VOID(CheckDevices(options_.devices));
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
    const JobCgroup cgroup = JobCgroup::Make(options_.cgroups, job.limits, kOwnProcesses);
    auto child = StartChild(LaunchOf(job, status->write_end(), filter->get(), cgroup.fd()));
    status->CloseWriteEnd();
    if (!child) return NotStarted(child.error().message());
    const auto first = status->WaitFor([](const std::string& said) { return Number(said, "child-pid"); });
    const Fd inside = first ? OpenProcess(*first) : Fd();
    const Fd outside(::fcntl(child->handle.get(), F_DUPFD_CLOEXEC, 0));
    const Sandbox sandbox{.own_depth = kOwnDepth,
                          .kill =
                              [&] {
                                KillProcess(outside);
                                KillProcess(inside);
                              },
                          .ended = [&] { return HasEnded(inside); },
                          .cgroup = cgroup};
    LastWords words(watcher);
    JobEnd end = Supervise(std::move(*child), job, sandbox, words);
    Explain(end, Number(status->ReadAll(), "exit-code"), words.Line());
    end.in_force =
        LimitsInForce(job.limits, "its inputs, its results and the environment, nothing else of this machine",
                      options_.devices, cgroup);
    end.missing = LimitsMissing(cgroup);
    return end;
  }

  static void Explain(JobEnd& end, std::optional<int> exit_code, const std::string& last) {
    const bool by_itself = end.ending == Ending::kFailed || end.ending == Ending::kSucceeded;
    if (by_itself && !exit_code) {
      const Usage used = end.usage;
      end = NotStarted(last);
      end.usage = used;
    } else if (end.ending == Ending::kFailed) {
      end.exit_code = *exit_code;
      ExplainExit(end, last);
    }
  }

  Launch LaunchOf(const Job& job, int status_fd, int filter_fd, int cgroup) const {
    const Limits& limits = job.limits;
    return {.command = CommandOf(job),
            .environment = {},
            .descriptors = {{status_fd, kStatusFd}, {filter_fd, kFilterFd}},
            .user = options_.user,
            .limits = {{RLIMIT_CORE, 0},
                       // More than the whole may have, so that it is ended with the reason.
                       {RLIMIT_FSIZE, limits.disk_bytes + limits.disk_bytes / 4},
                       {RLIMIT_DATA, limits.memory_bytes + limits.memory_bytes / 4},
                       {RLIMIT_NOFILE, OpenFilesMax()}},
            .cpus = limits.cpus,
            .leases = options_.leases,
            .umask = job.umask,
            .cgroup = cgroup};
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
    for (const std::string& device : options_.devices)
      words.insert(words.end(), {HasDevices(device) ? "--dev-bind" : "--ro-bind", device, device});
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
