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

Error DiskError(const std::string& what) {
  if (errno == ENOSPC || errno == EDQUOT)
    return Error::ResourceExhausted(
        "the disk of the log is full: make room there, for bytes or for more files; acts wait, and are "
        "published then");
  return Error::FromErrno(errno, errno == EIO ? "the disk of the log fails, check it: " + what : what);
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
    Status written = WriteAndName(name, bytes);
    // Its room may be what the next one needs.
    if (!written) ::unlinkat(folder_.get(), kTemporary, 0);
    return written;
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
    return Ok();
  }

  Status Sync(const std::vector<std::string>& paths) override {
    std::vector<Fd> files;
    std::set<std::string> folders;
    // All of them are on their way before the first is waited for: one commit of the file system then does
    // for all.
    for (const std::string& path : paths) {
      GC_TRY(files.emplace_back(), Open(path, O_RDONLY));
      if (::sync_file_range(files.back().get(), 0, 0, SYNC_FILE_RANGE_WRITE) != 0)
        return Fail(DiskError("cannot sync " + path));
      for (std::string folder = FolderOf(path); folders.insert(folder).second;) folder = FolderOf(folder);
    }
    for (const std::string& folder : folders) {
      GC_TRY(files.emplace_back(), Open(folder, O_RDONLY | O_DIRECTORY));
    }
    for (const Fd& file : files)
      if (::fsync(file.get()) != 0)
        return Fail(DiskError(
            "cannot make a file of the log durable (the catalog keeps what it holds, and writes it again)"));
    return Ok();
  }

  Status SyncAll() override {
    if (::syncfs(folder_.get()) != 0) return Fail(DiskError("cannot sync the folder of the log"));
    return Ok();
  }

 private:
  Status WriteAndName(const std::string& name, std::string_view bytes) {
    GC_TRY_VOID(WriteTemporary(bytes));
    if (::renameat(folder_.get(), kTemporary, folder_.get(), name.c_str()) == 0) return Ok();
    if (errno != ENOENT) return Fail(DiskError("cannot name the log's file " + name));
    GC_TRY_VOID(MakeFolders(name));
    if (::renameat(folder_.get(), kTemporary, folder_.get(), name.c_str()) == 0) return Ok();
    return Fail(DiskError("cannot name the log's file " + name));
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
      if (::mkdirat(folder_.get(), folder.c_str(), 0755) != 0 && errno != EEXIST)
        return Fail(DiskError("cannot make the folder " + folder));
    }
    return Ok();
  }

  Result<Fd> Open(const std::string& path, int flags) const {
    Fd file(::openat(folder_.get(), path.c_str(), flags | O_NOFOLLOW | O_CLOEXEC));
    if (!file.valid()) return Fail(DiskError("cannot open " + path));
    return file;
  }

  Fd folder_;
};

}  // namespace

Result<std::unique_ptr<LogFiles>> OpenLogFolder(Fd folder) {
  if (!folder.valid()) return Fail(Error::InvalidArgument("the folder of the log is not open"));
  return std::make_unique<LogFolder>(std::move(folder));
}

}  // namespace glasscase::ledger
