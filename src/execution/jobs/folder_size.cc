#include <glasscase/jobs/folder_size.h>

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string_view>
#include <vector>

#include <glasscase/process/fd.h>

namespace glasscase::jobs {
namespace {

constexpr uint64_t kBlock = 512;
constexpr size_t kDepthMax = 64;  // a folder that is deeper counts as one that has too many files

class Walk {
 public:
  Walk(uint64_t files_max, const std::set<uint64_t>& inodes) : files_max_(files_max), inodes_(inodes) {}

  // Each folder is opened out of its parent, so that nothing renamed meanwhile leads out.
  void Enter(Fd folder, size_t depth) {
    if (depth == kDepthMax) size_.files = files_max_ + 1;
    const std::unique_ptr<DIR, int (*)(DIR*)> names(::fdopendir(folder.get()), ::closedir);
    if (!names) return;
    (void)folder.release();
    while (const dirent* entry = size_.files > files_max_ ? nullptr : ::readdir(names.get())) {
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") Count(::dirfd(names.get()), entry->d_name, depth);
    }
  }
  FolderSize size() const { return size_; }

 private:
  void Count(int folder, const char* name, size_t depth) {
    struct stat facts {};
    if (::fstatat(folder, name, &facts, AT_SYMLINK_NOFOLLOW) != 0) return;
    ++size_.files;
    size_.bytes += static_cast<uint64_t>(facts.st_blocks) * kBlock;
    if (inodes_.contains(facts.st_ino)) size_.named.insert(facts.st_ino);
    if (!S_ISDIR(facts.st_mode)) return;
    Fd below = Open(folder, name);
    if (below.valid()) Enter(std::move(below), depth + 1);
  }

  static Fd Open(int folder, const char* name) {
    Fd below(::openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (below.valid() || errno != EACCES) return below;
    const Fd place(::openat(folder, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    const std::string path = "/proc/self/fd/" + std::to_string(place.get());
    if (!place.valid() || ::chmod(path.c_str(), 0700) != 0) return Fd();
    return Fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }

  uint64_t files_max_;
  const std::set<uint64_t>& inodes_;
  FolderSize size_;
};

}  // namespace

Result<FolderSize> MeasureFolder(const std::string& path, uint64_t files_max,
                                 const std::set<uint64_t>& inodes) {
  Fd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!folder.valid()) return Fail(Error::FromErrno(errno, "cannot open " + path));
  struct stat facts {};
  if (::fstat(folder.get(), &facts) != 0) return Fail(Error::FromErrno(errno, "cannot look at " + path));
  Walk walk(files_max, inodes);
  walk.Enter(std::move(folder), 0);
  FolderSize size = walk.size();
  size.device = facts.st_dev;
  return size;
}

uint64_t FilesSeenBy(pid_t pid, const std::string& path) {
  const std::string place = "/proc/" + std::to_string(pid) + "/root" + path;
  const Fd folder(::open(place.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat theirs {};
  struct stat ours {};
  struct statfs facts {};
  if (::fstat(folder.get(), &theirs) != 0 || ::fstatfs(folder.get(), &facts) != 0) return 0;
  const bool is_ours = ::stat(path.c_str(), &ours) == 0 && ours.st_dev == theirs.st_dev;
  return is_ours || facts.f_type != TMPFS_MAGIC ? 0 : facts.f_files - facts.f_ffree;
}

}  // namespace glasscase::jobs
