#include <glasscase/jobs_slurm/one_job.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <string_view>
#include <thread>

#include <glasscase/process/fd.h>
#include <glasscase/process/file_io.h>

#include "job_file.h"

namespace glasscase::jobs {
namespace {

constexpr int kLookMs = 1'000;
constexpr int kToldMs = 200;  // for our signal, after the program's

int told = -1;  // becomes readable by SIGTERM

void Signal(int event) {
  const uint64_t one = 1;
  (void)!::write(event, &one, sizeof one);
}

class ToFile final : public JobWatcher {
 public:
  ToFile(Fd log, Fd cancel) : log_(std::move(log)), cancel_(std::move(cancel)) {}
  void OnLog(std::string_view bytes) override {
    (void)process::WriteAll(log_.get(), AsBytes(bytes), "log");  // the end is what counts
  }
  int cancel_fd() const override { return cancel_.get(); }
  void Cancel() const { Signal(cancel_.get()); }

 private:
  const Fd log_, cancel_;
};

// Cancels the job by a signal, or when nobody waits for it any more. The clocks of two machines may differ:
// what counts is that the file's time changes.
class Attention {
 public:
  Attention(const ToFile& job, std::string alive, int64_t patience_ms)
      : job_(job), alive_(std::move(alive)), patience_(patience_ms) {}
  ~Attention() {
    Signal(end_.get());
    thread_.join();
  }

 private:
  using Clock = std::chrono::steady_clock;

  void Watch() {
    timespec last{};
    auto changed = Clock::now();
    while (true) {
      pollfd waits[2] = {{.fd = told, .events = POLLIN, .revents = 0},
                         {.fd = end_.get(), .events = POLLIN, .revents = 0}};
      ::poll(waits, 2, kLookMs);
      if (waits[1].revents != 0) return;
      struct stat facts {};
      const bool is_there = ::stat(alive_.c_str(), &facts) == 0;
      if (is_there && (facts.st_mtim.tv_sec != last.tv_sec || facts.st_mtim.tv_nsec != last.tv_nsec)) {
        last = facts.st_mtim;
        changed = Clock::now();
      }
      // A file that is gone may be a file system that is away for a moment: the same patience.
      if (waits[0].revents != 0 || Clock::now() - changed > patience_) return job_.Cancel();
    }
  }

  const ToFile& job_;
  const std::string alive_;
  const std::chrono::milliseconds patience_;
  const Fd end_{::eventfd(0, EFD_CLOEXEC)};
  std::thread thread_{[this] { Watch(); }};
};

// Slurm ends every process of a job, the program perhaps before us: then that is no fault of its own.
bool WasEndedFromOutside(const JobEnd& end) {
  if (end.ending != Ending::kFailed || end.signal == 0) return false;
  pollfd wait{.fd = told, .events = POLLIN, .revents = 0};
  return ::poll(&wait, 1, kToldMs) > 0;
}

int Say(const Error& error) {
  std::fprintf(stderr, "%s\n", error.message().c_str());
  return 1;
}

}  // namespace

int RunOneJob(const std::string& file, const std::string& machine, Executor& executor) {
  const Fd event(::eventfd(0, EFD_CLOEXEC));
  told = event.get();
  // Not blocked and read: what is blocked stays so in the job.
  std::signal(SIGTERM, [](int) { Signal(told); });
  const std::string folder = file.substr(0, file.rfind('/') + 1);
  const auto text = process::ReadText(file);
  if (!text) return Say(text.error());
  const auto job = ReadJob(*text);
  if (!job) return Say(job.error());
  Fd log(::open((folder + kLogFile).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!log.valid()) return Say(Error::FromErrno(errno, "cannot write " + folder + kLogFile));
  ToFile watcher(std::move(log), Fd(::eventfd(0, EFD_CLOEXEC)));
  JobEnd end;
  {
    const Attention attention(watcher, folder + kAliveFile, job->patience_ms);
    end = executor.Run(job->job, watcher);
    end.machine = machine;
  }
  if (WasEndedFromOutside(end)) end.ending = Ending::kCancelled;
  const Status written = WriteText(folder + kEndFile, WriteEnd(end));
  return written ? 0 : Say(written.error());
}

}  // namespace glasscase::jobs
