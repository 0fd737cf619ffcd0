#include "data_directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include <glasscase/process/confine.h>

namespace glasscase::custodian {
namespace {

namespace fs = std::filesystem;

constexpr uint32_t kCustodianUser = process::kUserBase + 1;

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
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) return Fail(Error::FromErrno(errno, "cannot look at " + path));
  const uid_t user = facts.st_uid != 0 ? facts.st_uid : kCustodianUser;
  const gid_t group = facts.st_uid != 0 ? facts.st_gid : kCustodianUser;
  const auto give = [&](const fs::path& item) -> Status {
    if (::lchown(item.c_str(), user, group) == 0 || errno == ENOENT) return Ok();
    return Fail(Error::FromErrno(errno, "cannot give " + item.string() + " to user " + std::to_string(user)));
  };
  GC_TRY_VOID(give(path));
  std::error_code code;
  for (auto entry = fs::recursive_directory_iterator(path, code); !code && entry != fs::end(entry);
       entry.increment(code))
    GC_TRY_VOID(give(entry->path()));
  if (code && code != std::errc::no_such_file_or_directory) return Fail(FromCode(code, "cannot read " + path));
  return Ok();
}

Result<std::vector<std::string>> FilesIn(const std::string& path) {
  std::vector<std::string> names;
  std::error_code code;
  for (auto entry = fs::directory_iterator(path, code); !code && entry != fs::end(entry); entry.increment(code))
    if (entry->is_regular_file()) names.push_back(entry->path().filename());
  if (code && code != std::errc::no_such_file_or_directory) return Fail(FromCode(code, "cannot read " + path));
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace glasscase::custodian
