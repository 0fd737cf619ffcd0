#include "job_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include <glasscase/core/log.h>
#include <glasscase/working/remove_folder.h>

namespace glasscase::worker {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "glasscase-jobs-";

// Locked by the one who uses it, for as long as it lives.
Fd Lock(const std::string& path) {
  Fd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat facts {};
  const bool mine = folder.valid() && ::fstat(folder.get(), &facts) == 0 && facts.st_uid == ::geteuid();
  if (!mine || ::flock(folder.get(), LOCK_EX | LOCK_NB) != 0) return Fd();
  return folder;
}

void RemoveLeftOvers(const std::string& parent) {
  std::error_code code;
  for (const auto& entry : fs::directory_iterator(parent, code)) {
    if (!entry.path().filename().string().starts_with(kPrefix)) continue;
    const Fd lock = Lock(entry.path());
    if (!lock.valid()) continue;
    const Status removed = working::RemoveFolder(entry.path());
    if (!removed) LogWarning(removed.error().message());
  }
}

}  // namespace

Result<JobFolder> MakeJobFolder(const std::string& parent) {
  RemoveLeftOvers(parent);
  JobFolder made{.path = parent + "/" + std::string(kPrefix) + "XXXXXX", .lock = {}};
  if (::mkdtemp(made.path.data()) == nullptr)
    return Fail(Error::FromErrno(errno, "cannot make a folder in " + parent));
  made.lock = Lock(made.path);
  if (!made.lock.valid()) return Fail(Error::Internal("another worker took the folder " + made.path));
  return made;
}

}  // namespace glasscase::worker
