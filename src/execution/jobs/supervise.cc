#include <glasscase/jobs/supervise.h>

#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <optional>
#include <set>
#include <utility>

#include <glasscase/core/bytes.h>
#include <glasscase/jobs/folder_size.h>
#include <glasscase/jobs/process_tree.h>

namespace glasscase::jobs {
namespace {

constexpr int kLeftoverEveryMs = 5;
// How long it may stay open whether a job is over its memory, while its processes are looked at in turn.
constexpr int64_t kUncertainMs = 5'000;
// A process is hidden for a moment while it becomes another program.
constexpr int64_t kHiddenMs = 1'000;

int64_t NowMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

std::string Mebibytes(uint64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

class Watch {
 public:
  Watch(Child child, const Job& job, const Sandbox& sandbox, JobWatcher& watcher)
      : child_(std::move(child)), job_(job), sandbox_(sandbox), watcher_(watcher), begun_ms_(NowMs()) {}

  JobEnd Run() {
    while (!HasExited()) {
      Wait();
      Look();
      if (kill_at_ms_ && NowMs() >= *kill_at_ms_) Kill();
    }
    Reap();
    while (!sandbox_.ended() || !sandbox_.cgroup.IsEmpty()) {
      Kill();
      ::usleep(kLeftoverEveryMs * 1000);
    }
    DrainLog();
    TakeWhatTheKernelCounted();
    end_.usage.wall_ms = NowMs() - begun_ms_;
    if (const auto size = MeasureFolder(job_.folder + "/out", job_.limits.files))
      end_.usage.disk_bytes = size->bytes;
    return std::move(end_);
  }

 private:
  const Limits& limits() const { return job_.limits; }

  bool HasExited() const {
    pollfd handle{.fd = child_.handle.get(), .events = POLLIN, .revents = 0};
    return ::poll(&handle, 1, 0) > 0;
  }

  void Wait() {
    std::array<pollfd, 3> waits{
        {{.fd = child_.handle.get(), .events = POLLIN, .revents = 0},
         {.fd = log_is_open_ ? child_.output.get() : -1, .events = POLLIN, .revents = 0},
         {.fd = ending_ ? -1 : watcher_.cancel_fd(), .events = POLLIN, .revents = 0}}};
    const int64_t until_look = std::max<int64_t>(0, look_at_ms_ - NowMs());
    ::poll(waits.data(), waits.size(), static_cast<int>(until_look));
    if (waits[1].revents != 0) DrainLog();
    if (waits[2].revents != 0) End(Ending::kCancelled, "it was cancelled");
  }

  // Whatever is there, a little at a time, so that a job which prints without end is watched all the same.
  void DrainLog() {
    std::array<char, 65'536> piece{};
    for (int i = 0; i < 16; ++i) {
      const ssize_t got = ::read(child_.output.get(), piece.data(), piece.size());
      if (got < 0 && errno == EINTR) continue;
      if (got == 0) log_is_open_ = false;
      if (got <= 0) return;
      const uint64_t kept = std::min(end_.usage.log_bytes, limits().log_bytes);
      const uint64_t room = std::min<uint64_t>(static_cast<uint64_t>(got), limits().log_bytes - kept);
      if (room > 0) watcher_.OnLog(std::string_view(piece.data(), room));
      end_.usage.log_bytes += static_cast<uint64_t>(got);
    }
  }

  void Look() {
    const int64_t now = NowMs();
    if (now < look_at_ms_) return;
    const std::vector<TreeMember> tree = ProcessTree(child_.pid);
    const auto out = MeasureFolder(job_.folder + "/out", limits().files, unmeasured_);
    LookAtMemory(tree);
    if (out) LookAtDisk(*out, watch_.LookAtFiles(OfTheJob(tree), out->device));
    LookAtTemporary(OfTheJob(tree));
    if (now - begun_ms_ >= limits().wall_ms)
      End(Ending::kTimedOut, "it took longer than " + std::to_string(limits().wall_ms / 1000) + " s");
    // A look that takes long (many processes, many files) is not taken more often for it.
    const int64_t rest_ms = uncertain_since_ms_ ? 0 : 2 * (NowMs() - now);
    look_at_ms_ = NowMs() + std::max<int64_t>(kWatchEveryMs, rest_ms);
  }

  std::vector<TreeMember> OfTheJob(std::vector<TreeMember> tree) const {
    std::erase_if(tree, [this](const TreeMember& member) { return member.depth < sandbox_.own_depth; });
    return tree;
  }

  void LookAtMemory(const std::vector<TreeMember>& tree) {
    SharedMemory memory;
    int64_t cpu_ms = 0;
    for (const TreeMember& member : tree) {
      memory.bytes += member.memory_bytes;
      cpu_ms += member.cpu_ms;
    }
    end_.usage.cpu_ms = std::max(end_.usage.cpu_ms, cpu_ms);
    if (sandbox_.cgroup.held().memory) return TakeMemoryPeak();
    if (memory.bytes > limits().memory_bytes) memory = watch_.LookAtMemory(tree);
    const bool is_over = memory.bytes > limits().memory_bytes;
    const bool is_open = is_over && !memory.is_certain;
    if (!LastsFor(kUncertainMs, is_open, uncertain_since_ms_) && is_open) return;
    end_.usage.memory_peak_bytes = std::max(end_.usage.memory_peak_bytes, memory.bytes);
    if (is_over) EndNow(Ending::kOverMemory, OverMemory());
  }
  std::string OverMemory() const { return "it used more memory than " + Mebibytes(limits().memory_bytes); }

  void TakeMemoryPeak() {
    end_.usage.memory_peak_bytes =
        std::max(end_.usage.memory_peak_bytes, sandbox_.cgroup.Use().memory_peak_bytes);
  }

  // When nothing is left of it. The kernel ends a job beyond its memory by itself, whatever became of it
  // then.
  void TakeWhatTheKernelCounted() {
    const CgroupUse use = sandbox_.cgroup.Use();
    end_.usage.memory_peak_bytes = std::max(end_.usage.memory_peak_bytes, use.memory_peak_bytes);
    end_.usage.cpu_ms = std::max(end_.usage.cpu_ms, use.cpu_ms);
    if (ending_) return;
    if (use.was_over_memory) EndNow(Ending::kOverMemory, OverMemory());
    if (use.machine_was_full)
      EndNow(Ending::kNotStarted, "the machine had no memory left, so the kernel ended it within its limit");
  }

  void LookAtDisk(const FolderSize& out, const Unnamed& unnamed) {
    if (out.files > limits().files)
      EndNow(Ending::kOverDisk, "it wrote more than " + std::to_string(limits().files) + " files to /out");
    if (out.bytes + unnamed.bytes > limits().disk_bytes)
      EndNow(Ending::kOverDisk, "it wrote more than " + Mebibytes(limits().disk_bytes) + " to /out");
    LookAtUnmeasured(out, unnamed);
    if (LastsFor(kHiddenMs, unnamed.is_hidden && sandbox_.shows_files, hidden_since_ms_))
      EndNow(Ending::kOverDisk,
             "it hides which files it has open, so that what it wrote to /out cannot be counted");
  }

  // Their size is the kernel's to hold; what each file takes beside its bytes is not part of it.
  void LookAtTemporary(const std::vector<TreeMember>& members) {
    for (const std::string folder : {"/tmp", "/dev/shm"})
      for (const TreeMember& member : members) {
        const uint64_t files = FilesSeenBy(member.pid, folder);
        if (files == 0) continue;  // it has ended
        if (files > limits().files)
          EndNow(Ending::kOverDisk,
                 "it made more than " + std::to_string(limits().files) + " files in " + folder);
        break;
      }
  }

  // Seen twice, since one may be on its way from its descriptor to its end.
  void LookAtUnmeasured(const FolderSize& out, const Unnamed& unnamed) {
    std::set<uint64_t> seen;
    for (const auto& [inode, name] : unnamed.unmeasured) {
      seen.insert(inode);
      if (unmeasured_.contains(inode) && !out.named.contains(inode))
        EndNow(Ending::kOverDisk, "it removed " + Printable(name) +
                                      " and keeps it mapped without a descriptor, so that what it wrote to "
                                      "/out cannot be counted; temporary files are for /tmp");
    }
    unmeasured_ = std::move(seen);
  }

  // Whether something has been so for that long, without a break.
  static bool LastsFor(int64_t most_ms, bool is_so, std::optional<int64_t>& since_ms) {
    if (!is_so) since_ms.reset();
    if (is_so && !since_ms) since_ms = NowMs();
    return since_ms && NowMs() - *since_ms >= most_ms;
  }

  // The first reason counts.
  void End(Ending why, std::string reason) {
    if (ending_) return;
    ending_ = true;
    end_.ending = why;
    end_.reason = std::move(reason);
    kill_at_ms_ = NowMs() + limits().grace_ms;
    for (const TreeMember& member : ProcessTree(child_.pid))
      if (member.depth >= sandbox_.own_depth) ::kill(member.pid, SIGTERM);
  }
  // Where every moment costs.
  void EndNow(Ending why, std::string reason) {
    if (!ending_) {
      ending_ = true;
      end_.ending = why;
      end_.reason = std::move(reason);
    }
    kill_at_ms_ = 0;
  }

  void Kill() const {
    sandbox_.kill();
    sandbox_.cgroup.Kill();
  }

  void Reap() {
    int status = 0;
    rusage used{};
    while (::wait4(child_.pid, &status, 0, &used) < 0 && errno == EINTR) {
    }
    const auto ms = [](const timeval& time) { return int64_t{time.tv_sec} * 1000 + time.tv_usec / 1000; };
    end_.usage.cpu_ms = std::max(end_.usage.cpu_ms, ms(used.ru_utime) + ms(used.ru_stime));
    if (WIFEXITED(status)) end_.exit_code = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) end_.signal = WTERMSIG(status);
    if (!ending_) end_.ending = status == 0 ? Ending::kSucceeded : Ending::kFailed;
  }

  Child child_;
  const Job& job_;
  const Sandbox& sandbox_;
  JobWatcher& watcher_;
  JobEnd end_;
  int64_t begun_ms_;
  TreeWatch watch_;
  std::set<uint64_t> unmeasured_;
  std::optional<int64_t> uncertain_since_ms_, hidden_since_ms_;
  int64_t look_at_ms_ = 0;
  bool log_is_open_ = true;
  bool ending_ = false;
  std::optional<int64_t> kill_at_ms_;
};

}  // namespace

std::string_view EndingName(Ending ending) {
  switch (ending) {
    case Ending::kSucceeded: return "succeeded";
    case Ending::kFailed: return "failed";
    case Ending::kCancelled: return "cancelled";
    case Ending::kTimedOut: return "timed out";
    case Ending::kOverMemory: return "over memory";
    case Ending::kOverDisk: return "over disk";
    case Ending::kNotStarted: return "not started";
  }
  return "unknown";
}

JobEnd Supervise(Child child, const Job& job, const Sandbox& sandbox, JobWatcher& watcher) {
  return Watch(std::move(child), job, sandbox, watcher).Run();
}

}  // namespace glasscase::jobs
