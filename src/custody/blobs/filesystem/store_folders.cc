#include "store_folders.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

namespace glasscase::blobs {

Error DiskError(int errno_value, std::string what) {
  if (errno_value == ENOSPC || errno_value == EDQUOT)
    return Error::ResourceExhausted("the disk of the data directory is full");
  return Error::FromErrno(errno_value, std::move(what));
}

std::string FolderOf(const Digest& sha256) {
  return std::string(kBlobsFolder) + "/" + ToHex(ByteSpan(sha256).first(1));
}
std::string PathOf(const Digest& sha256) { return FolderOf(sha256) + "/" + ToHex(sha256); }

Status MakeFolder(int directory, const std::string& path) {
  if (::mkdirat(directory, path.c_str(), 0700) == 0 || errno == EEXIST) return Ok();
  return Fail(DiskError(errno, "cannot make the folder " + path));
}

Result<Fd> OpenFolder(int directory, const std::string& path) {
  Fd fd(::openat(directory, path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) return Fail(DiskError(errno, "cannot open the folder " + path));
  return fd;
}

Status SyncFolder(int directory, const std::string& path) {
  GC_TRY(Fd folder, OpenFolder(directory, path));
  if (::fsync(folder.get()) != 0) return Fail(DiskError(errno, "cannot sync the folder " + path));
  return Ok();
}

Result<Fd> OpenForReading(int directory, const std::string& path) {
  Fd fd(::openat(directory, path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) return Fail(DiskError(errno, "cannot open " + path));
  return fd;
}

Status EachName(int directory, const std::string& path,
                const std::function<Status(const std::string&)>& visit) {
  GC_TRY(Fd fd, OpenFolder(directory, path));
  DIR* opened = ::fdopendir(fd.get());
  if (opened == nullptr) return Fail(DiskError(errno, "cannot read the folder " + path));
  (void)fd.release();  // now the stream's
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(opened, ::closedir);
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    GC_TRY_VOID(visit(name));
  }
  return Ok();
}

Status MoveIntoStore(int directory, const std::string& path, const Digest& sha256) {
  const std::string folder = FolderOf(sha256);
  if (::mkdirat(directory, folder.c_str(), 0700) == 0) {
    GC_TRY_VOID(SyncFolder(directory, kBlobsFolder));
  } else if (errno != EEXIST) {
    return Fail(DiskError(errno, "cannot make the folder " + folder));
  }
  if (::renameat(directory, path.c_str(), directory, PathOf(sha256).c_str()) != 0)
    return Fail(DiskError(errno, "cannot put " + path + " into the store"));
  return Ok();
}

}  // namespace glasscase::blobs
