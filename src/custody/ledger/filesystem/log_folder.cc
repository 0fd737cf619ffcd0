#include <glasscase/ledger_filesystem/log_folder.h>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <set>

namespace glasscase::ledger {
namespace {

constexpr size_t kFileBytesMax = kTileWidth * (kEntryBytesMax + 2);
constexpr char kTemporary[] = ".writing";
constexpr size_t kSyncedOneByOneMax = 32;

Error DiskError(const std::string& what) {
  if (errno == ENOSPC || errno == EDQUOT) return Error::ResourceExhausted("the disk of the log is full");
  return Error::FromErrno(errno, what);
}

std::string FolderOf(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? "." : std::string(path.substr(0, slash));
}

Status WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Fail(DiskError("cannot write a file of the log"));
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return Ok();
}

class LogFolder final : public LogFiles {
 public:
  explicit LogFolder(Fd folder) : folder_(std::move(folder)) {}

  Result<std::optional<std::string>> Read(std::string_view path) const override {
    const Fd file(::openat(folder_.get(), std::string(path).c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (!file.valid()) {
      if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
      return Fail(DiskError("cannot open the log's file " + std::string(path)));
    }
    struct stat info {};
    if (::fstat(file.get(), &info) != 0)
      return Fail(DiskError("cannot read the log's file " + std::string(path)));
    if (!S_ISREG(info.st_mode) || static_cast<uint64_t>(info.st_size) > kFileBytesMax)
      return Fail(Error::DataLoss("the log's file " + std::string(path) + " is no file of a log"));
    std::string bytes(static_cast<size_t>(info.st_size), '\0');
    size_t filled = 0;
    while (filled < bytes.size()) {
      const ssize_t got = ::read(file.get(), bytes.data() + filled, bytes.size() - filled);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return Fail(DiskError("cannot read the log's file " + std::string(path)));
      if (got == 0) break;
      filled += static_cast<size_t>(got);
    }
    bytes.resize(filled);
    return bytes;
  }

  Status Write(std::string_view path, std::string_view bytes) override {
    const std::string name(path);
    GC_TRY_VOID(WriteTemporary(bytes));
    if (::renameat(folder_.get(), kTemporary, folder_.get(), name.c_str()) != 0) {
      if (errno != ENOENT) return Fail(DiskError("cannot name the log's file " + name));
      GC_TRY_VOID(MakeFolders(name));
      if (::renameat(folder_.get(), kTemporary, folder_.get(), name.c_str()) != 0)
        return Fail(DiskError("cannot name the log's file " + name));
    }
    unsynced_.insert(name);
    return Ok();
  }

  Status RemovePartials(const Tile& full) override {
    const std::string path = TilePath(full) + ".p";
    const int fd = ::openat(folder_.get(), path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return errno == ENOENT ? Ok() : Fail(DiskError("cannot open " + path));
    DIR* const names = ::fdopendir(fd);
    GC_CHECK(names != nullptr);
    while (const dirent* name = ::readdir(names)) {
      if (name->d_name[0] == '.') continue;
      ::unlinkat(fd, name->d_name, 0);  // one that stays is only litter
    }
    ::closedir(names);
    ::unlinkat(folder_.get(), path.c_str(), AT_REMOVEDIR);
    unsynced_.erase(unsynced_.lower_bound(path + "/"), unsynced_.lower_bound(path + "0"));
    return Ok();
  }

  Status Sync() override {
    if (unsynced_.size() > kSyncedOneByOneMax) return SyncFileSystem();
    std::set<std::string> folders = std::move(new_folders_);
    new_folders_.clear();
    for (const std::string& path : unsynced_) {
      GC_TRY_VOID(SyncOne(path, O_RDONLY));
      folders.insert(FolderOf(path));
    }
    for (const std::string& path : folders) GC_TRY_VOID(SyncOne(path, O_RDONLY | O_DIRECTORY));
    unsynced_.clear();
    return Ok();
  }

 private:
  // Each small batch leaves a partial tile of its own: thousands of files between two calls, of which each
  // alone would wait for the disk.
  Status SyncFileSystem() {
    if (::syncfs(folder_.get()) != 0) return Fail(DiskError("cannot sync the folder of the log"));
    unsynced_.clear();
    new_folders_.clear();
    return Ok();
  }

  Status WriteTemporary(std::string_view bytes) {
    const Fd file(
        ::openat(folder_.get(), kTemporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644));
    if (!file.valid()) return Fail(DiskError("cannot write into the folder of the log"));
    return WriteAll(file.get(), bytes);
  }

  Status MakeFolders(const std::string& path) {
    for (size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
      const std::string folder = path.substr(0, slash);
      if (::mkdirat(folder_.get(), folder.c_str(), 0755) == 0) {
        new_folders_.insert(FolderOf(folder));
      } else if (errno != EEXIST) {
        return Fail(DiskError("cannot make the folder " + folder));
      }
    }
    return Ok();
  }

  Status SyncOne(const std::string& path, int flags) {
    const Fd file(::openat(folder_.get(), path.c_str(), flags | O_NOFOLLOW | O_CLOEXEC));
    if (!file.valid()) return errno == ENOENT ? Ok() : Fail(DiskError("cannot open " + path));
    if (::fsync(file.get()) != 0) return Fail(DiskError("cannot sync " + path));
    return Ok();
  }

  Fd folder_;
  std::set<std::string> unsynced_;
  std::set<std::string> new_folders_;
};

}  // namespace

Result<std::unique_ptr<LogFiles>> OpenLogFolder(Fd folder) {
  if (!folder.valid()) return Fail(Error::InvalidArgument("the folder of the log is not open"));
  return std::make_unique<LogFolder>(std::move(folder));
}

}  // namespace glasscase::ledger
