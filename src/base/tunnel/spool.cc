#include <glasscase/tunnel/spool.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

namespace glasscase::tunnel {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "glasscase-spool-";
constexpr char kNewFile[] = "new";

// Locked by the one who uses it, for as long as it lives.
Fd Lock(const std::string& path, uid_t user) {
  Fd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat facts {};
  const bool mine = folder.valid() && ::fstat(folder.get(), &facts) == 0 && facts.st_uid == user;
  if (!mine || ::flock(folder.get(), LOCK_EX | LOCK_NB) != 0) return Fd();
  return folder;
}

void RemoveLeftOvers(const std::string& parent, uid_t user) {
  std::error_code code;
  for (const auto& entry : fs::directory_iterator(parent, code)) {
    if (!entry.path().filename().string().starts_with(kPrefix)) continue;
    const Fd lock = Lock(entry.path(), user);
    if (!lock.valid()) continue;
    ::unlinkat(lock.get(), kNewFile, 0);
    ::rmdir(entry.path().c_str());
  }
}

}  // namespace

Result<Spool> Spool::Make(const std::string& parent, uid_t user) {
  RemoveLeftOvers(parent, user);
  std::string path = parent + "/" + std::string(kPrefix) + "XXXXXX";
  if (::mkdtemp(path.data()) == nullptr)
    return Fail(Error::FromErrno(errno, "cannot make a folder in " + parent));
  if (user != ::geteuid() && ::chown(path.c_str(), user, static_cast<gid_t>(-1)) != 0)
    return Fail(Error::FromErrno(errno, "cannot give away " + path));
  Fd folder = Lock(path, user);
  if (!folder.valid()) return Fail(Error::Internal("somebody else took the folder " + path));
  return Spool(std::move(path), std::move(folder));
}

Status Spool::CheckRoom(uint64_t bytes, uint64_t parts) const {
  struct statvfs facts {};
  if (::fstatvfs(folder_.get(), &facts) != 0)
    return Fail(Error::FromErrno(errno, "cannot look at the disk of " + path_));
  const uint64_t free = static_cast<uint64_t>(facts.f_bavail) * facts.f_frsize;
  if (free >= kFreeBytesMin && bytes <= (free - kFreeBytesMin) / parts) return Ok();
  return Fail(
      Error::ResourceExhausted("no room for files that are announced: bytes=" + std::to_string(bytes) +
                               ", free=" + std::to_string(free) + " in " + path_ +
                               (parts > 1 ? ", of which one may take 1/" + std::to_string(parts) : "")));
}

Result<Fd> Spool::MakeFile() const {
  ::unlinkat(folder_.get(), kNewFile, 0);  // of a life that ended between the two
  Fd file(::openat(folder_.get(), kNewFile, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file.valid() || ::unlinkat(folder_.get(), kNewFile, 0) != 0)
    return Fail(Error::FromErrno(errno, "cannot make a file in " + path_));
  return file;
}

void Spool::Remove() const { ::rmdir(path_.c_str()); }

}  // namespace glasscase::tunnel
