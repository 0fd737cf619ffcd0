#include "data_directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <system_error>

#include <glasscase/core/secret.h>
#include <glasscase/process/confine.h>

namespace glasscase::custodian {
namespace {

namespace fs = std::filesystem;

constexpr uint32_t kCustodianUser = process::kUserBase + 1;

// Not tls/, glasscase.conf and serve.lock: those are the supervisor's, and the custodian has no business with
// them.
constexpr const char* kCustodiansOwn[] = {
    kCatalogFile, "catalog.db-wal", "catalog.db-shm", "blobs",       "staging",    "uploads",    kAuditFolder,
    kLogFolder,   "keys",           kPolicyFile,      "signing.pem", "chain.json", kEndedFolder, kRunsFolder};

struct Owner {
  uid_t user;
  gid_t group;
};

// By descriptor and without following links: whoever owns the directory may rename things in it meanwhile.
Status Give(int directory, const std::string& name, const Owner& owner) {
  if (::fchownat(directory, name.c_str(), owner.user, owner.group, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return Ok();
    return Fail(Error::FromErrno(errno, "cannot give " + name + " to user " + std::to_string(owner.user)));
  }
  const int folder = ::openat(directory, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (folder < 0) return Ok();  // a file
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(folder), ::closedir);
  if (!stream) return Fail(Error::FromErrno(errno, "cannot read the folder " + name));
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string below = entry->d_name;
    if (below != "." && below != "..") GC_TRY_VOID(Give(::dirfd(stream.get()), below, owner));
  }
  return Ok();
}

Error FromCode(const std::error_code& code, const std::string& what) {
  return Error::FromErrno(code.value(), what);
}

}  // namespace

Result<Fd> OpenFolder(const std::string& path) { return OpenFolderAt(AT_FDCWD, path); }

Result<Fd> OpenFolderAt(int directory, const std::string& name) {
  Fd fd(::openat(directory, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return Fail(Error::FromErrno(errno, "cannot open the folder " + name));
  return fd;
}

Status MakeFolderAt(int directory, const std::string& name) {
  if (::mkdirat(directory, name.c_str(), 0700) == 0 || errno == EEXIST) return Ok();
  return Fail(Error::FromErrno(errno, "cannot make the folder " + name));
}

Result<std::string> ReadFileAt(int directory, const char* name, size_t bytes_max) {
  const Fd file(::openat(directory, name, O_RDONLY | O_CLOEXEC));
  if (!file.valid() && errno == ENOENT) return std::string();
  if (!file.valid()) return Fail(Error::FromErrno(errno, std::string("cannot open ") + name));
  std::string text;
  std::array<char, 65536> piece{};
  while (true) {
    const ssize_t got = ::read(file.get(), piece.data(), piece.size());
    if (got < 0) return Fail(Error::FromErrno(errno, std::string("cannot read ") + name));
    if (got == 0) break;
    text.append(piece.data(), static_cast<size_t>(got));
    if (text.size() > bytes_max) return Fail(Error::InvalidArgument(std::string(name) + " is too long"));
  }
  WipeMemory(piece.data(), piece.size());
  return text;
}

Result<Fd> LockOut(int directory) {
  Fd lock(::openat(directory, "serve.lock", O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock.valid()) return Fail(Error::FromErrno(errno, "cannot open serve.lock"));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) == 0) return lock;
  return Fail(Error::FailedPrecondition(
      "the directory is being served; stop it first (`glasscase stop`): this is done only while nobody "
      "writes"));
}

Status WriteNewFileAt(int directory, const std::string& name, std::string_view text, mode_t mode) {
  const std::string unfinished = name + ".new";
  ::unlinkat(directory, unfinished.c_str(), 0);  // of an attempt that was cut off, perhaps another user's
  const Fd file(
      ::openat(directory, unfinished.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode));
  if (!file.valid()) return Fail(Error::FromErrno(errno, "cannot make " + name));
  const bool written = ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (!written || ::fsync(file.get()) != 0) return Fail(Error::FromErrno(errno, "cannot write " + name));
  if (::renameat2(directory, unfinished.c_str(), directory, name.c_str(), RENAME_NOREPLACE) != 0) {
    if (errno != EEXIST) return Fail(Error::FromErrno(errno, "cannot name " + name));
    ::unlinkat(directory, unfinished.c_str(), 0);
  }
  ::fsync(directory);
  return Ok();
}

Result<bool> MakeDirectory(const std::string& path) {
  std::error_code code;
  const fs::path absolute = fs::absolute(path, code);
  if (absolute.has_parent_path()) fs::create_directories(absolute.parent_path(), code);
  if (::mkdir(path.c_str(), 0700) == 0) return true;
  if (errno != EEXIST) return Fail(Error::FromErrno(errno, "cannot make the directory " + path));
  const bool empty = fs::is_empty(path, code);
  if (code) return Fail(FromCode(code, "cannot read the directory " + path));
  return empty;
}

Status GiveToCustodian(const std::string& path) {
  if (::geteuid() != 0) return Ok();
  GC_TRY(const Fd directory, OpenFolder(path));
  struct stat facts {};
  if (::fstat(directory.get(), &facts) != 0) return Fail(Error::FromErrno(errno, "cannot look at " + path));
  const Owner owner =
      facts.st_uid != 0 ? Owner{facts.st_uid, facts.st_gid} : Owner{kCustodianUser, kCustodianUser};
  if (::fchown(directory.get(), owner.user, owner.group) != 0)
    return Fail(Error::FromErrno(errno, "cannot give " + path + " to user " + std::to_string(owner.user)));
  for (const char* name : kCustodiansOwn) GC_TRY_VOID(Give(directory.get(), name, owner));
  return Ok();
}

}  // namespace glasscase::custodian
