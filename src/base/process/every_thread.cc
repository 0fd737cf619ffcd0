#include "every_thread.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <set>
#include <string>

#include "sanitizers.h"

namespace glasscase::process {
namespace {

constexpr int kWaitMillis = 2000;
constexpr size_t kThreadsMax = 1024;

// What the handler works with; one Run at a time, in the main thread, before the process does anything else.
std::atomic<int (*)()> current_act = nullptr;
std::atomic<int> first_error = 0;
std::array<std::atomic<pid_t>, kThreadsMax> answered;
std::atomic<size_t> answers = 0;

pid_t ThisThread() { return static_cast<pid_t>(syscall(SYS_gettid)); }

void ActInThisThread(int) {
  const int saved = errno;
  if (const int error = current_act.load()(); error != 0) first_error = error;
  const size_t place = answers.fetch_add(1);
  if (place < kThreadsMax) answered[place] = ThisThread();
  errno = saved;
}

std::set<pid_t> List(const Fd& tasks) {
  std::set<pid_t> threads;
  const int copy = tasks.valid() ? fcntl(tasks.get(), F_DUPFD_CLOEXEC, 0) : -1;
  DIR* const directory = copy >= 0 ? fdopendir(copy) : nullptr;
  if (directory == nullptr) return {ThisThread()};
  rewinddir(directory);
  while (const dirent* const entry = readdir(directory)) {
    if (entry->d_name[0] != '.') threads.insert(std::atoi(entry->d_name));
  }
  closedir(directory);
  return threads;
}

bool Answered(pid_t thread) { return std::find(answered.begin(), answered.end(), thread) != answered.end(); }

// Until each of them has answered or ended.
bool WaitForAnswers(const std::set<pid_t>& asked, const Fd& tasks) {
  for (int waited = 0; waited < kWaitMillis; ++waited) {
    const std::set<pid_t> alive = List(tasks);
    const auto owes = [&](pid_t thread) { return !Answered(thread) && alive.contains(thread); };
    if (std::none_of(asked.begin(), asked.end(), owes)) return true;
    const timespec millisecond{0, 1'000'000};
    nanosleep(&millisecond, nullptr);
  }
  return false;
}

}  // namespace

EveryThread::EveryThread() : tasks_(open("/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {}

int EveryThread::Count() const { return static_cast<int>(List(tasks_).size()); }

Status EveryThread::Run(int (*act)()) const {
  if (const int error = act(); error != 0) return Fail(Error::FromErrno(error, "this thread"));
  if (kThreadSanitized) return Ok();
  // The handler stays: a thread that blocks the signal must not die of it later.
  struct sigaction action {};
  action.sa_handler = ActInThisThread;
  action.sa_flags = SA_RESTART;
  sigaction(SIGRTMAX, &action, nullptr);
  current_act = act;
  first_error = 0;
  answers = 0;
  std::fill(answered.begin(), answered.end(), 0);
  std::set<pid_t> asked;
  for (bool any_new = true; any_new;) {  // a thread not yet asked may make another meanwhile
    any_new = false;
    for (const pid_t thread : List(tasks_)) {
      if (thread == ThisThread() || !asked.insert(thread).second) continue;
      syscall(SYS_tgkill, getpid(), thread, SIGRTMAX);
      any_new = true;
    }
    if (!WaitForAnswers(asked, tasks_)) {
      return Fail(Error::DeadlineExceeded("a thread made before does not answer"));
    }
  }
  if (first_error != 0) return Fail(Error::FromErrno(first_error, "a thread made before"));
  return Ok();
}

}  // namespace glasscase::process
