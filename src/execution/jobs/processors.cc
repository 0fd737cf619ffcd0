#include <glasscase/jobs/processors.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <utility>

namespace glasscase::jobs {
namespace {

std::vector<int> MayUse() {
  cpu_set_t mine;
  std::vector<int> processors;
  if (::sched_getaffinity(0, sizeof mine, &mine) != 0) return processors;
  for (int one = 0; one < CPU_SETSIZE; ++one)
    if (CPU_ISSET(one, &mine)) processors.push_back(one);
  return processors;
}

std::string FolderOfUser() { return "/var/tmp/glasscase-processors-" + std::to_string(::geteuid()); }

// Not valid: it cannot be made, or is another user's.
Fd OpenOwnFolder(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return Fd();
  Fd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat facts {};
  if (!folder.valid() || ::fstat(folder.get(), &facts) != 0 || facts.st_uid != ::geteuid()) return Fd();
  return folder;
}

// Not valid: another job has it.
Fd Lock(const Fd& folder, int processor) {
  Fd lock(::openat(folder.get(), std::to_string(processor).c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
                   0600));
  if (!lock.valid() || ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) return Fd();
  return lock;
}

}  // namespace

ProcessorLease LeaseProcessors(uint32_t count, const std::string& folder_path) {
  std::vector<int> processors = MayUse();
  const size_t wanted = count == 0 ? processors.size() : std::min<size_t>(count, processors.size());
  static std::atomic<size_t> turn = static_cast<size_t>(::getpid());
  if (!processors.empty())
    std::rotate(processors.begin(),
                processors.begin() + static_cast<std::ptrdiff_t>(turn++ % processors.size()),
                processors.end());
  const Fd folder = OpenOwnFolder(folder_path.empty() ? FolderOfUser() : folder_path);
  ProcessorLease lease;
  CPU_ZERO(&lease.processors);
  std::vector<int> others;
  for (const int one : processors) {
    Fd lock = folder.valid() && lease.locks.size() < wanted ? Lock(folder, one) : Fd();
    if (!lock.valid()) {
      others.push_back(one);
      continue;
    }
    lease.locks.push_back(std::move(lock));
    CPU_SET(one, &lease.processors);
  }
  for (size_t i = 0; lease.locks.size() + i < wanted; ++i) CPU_SET(others[i], &lease.processors);
  return lease;
}

}  // namespace glasscase::jobs
