#include "remove_folder.h"

#include <filesystem>

namespace glasscase::working {
namespace {

namespace fs = std::filesystem;

// Each folder before it is entered.
void Unlock(const fs::path& folder) {
  std::error_code ignored;  // removing it says what is wrong
  fs::permissions(folder, fs::perms::owner_all, fs::perm_options::add, ignored);
}

}  // namespace

Status RemoveFolder(const std::string& path) {
  std::error_code code;
  if (!fs::is_directory(fs::symlink_status(path, code))) return Ok();
  Unlock(path);
  for (fs::recursive_directory_iterator at(path, code), end; !code && at != end; at.increment(code))
    if (at->symlink_status(code).type() == fs::file_type::directory) Unlock(at->path());
  fs::remove_all(path, code);
  if (!code) return Ok();
  return Fail(Error::FromErrno(code.value(), "cannot remove " + path));
}

}  // namespace glasscase::working
