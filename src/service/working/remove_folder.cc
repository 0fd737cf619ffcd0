#include <glasscase/working/remove_folder.h>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string_view>

#include <glasscase/process/fd.h>

namespace glasscase::working {
namespace {

constexpr int kOpenFolder = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

// Folders that are not empty are moved up to the top and emptied there, so that two are open at once however
// deep they lay.
class Emptying {
 public:
  explicit Emptying(const Fd& top) : top_(top.get()) {}

  // Once more, as long as something went: what was moved up is found in the next round.
  Status Run() {
    do {
      went_ = false;
      left_ = false;
      EachIn(top_, [this](const char* name, bool is_folder) { RemoveFromTop(name, is_folder); });
    } while (left_ && went_);
    if (!left_) return Ok();
    return Fail(Error::FromErrno(error_.value_or(EBUSY), "something in it"));
  }

 private:
  template <typename Visit>
  void EachIn(int folder, const Visit& visit) {
    const int copy = ::openat(folder, ".", kOpenFolder);
    const std::unique_ptr<DIR, int (*)(DIR*)> names(copy < 0 ? nullptr : ::fdopendir(copy), ::closedir);
    if (!names) return Note();
    while (const dirent* entry = ::readdir(names.get())) {
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      left_ = left_ || folder == top_;
      struct stat facts {};
      const bool is_there = ::fstatat(folder, entry->d_name, &facts, AT_SYMLINK_NOFOLLOW) == 0;
      if (is_there) visit(entry->d_name, S_ISDIR(facts.st_mode));
    }
  }

  bool Remove(int folder, const char* name, bool is_folder) {
    const bool gone = ::unlinkat(folder, name, is_folder ? AT_REMOVEDIR : 0) == 0;
    went_ = went_ || gone;
    if (!gone) Note();
    return gone;
  }

  void RemoveFromTop(const char* name, bool is_folder) {
    if (Remove(top_, name, is_folder) || !is_folder) return;
    const Fd folder = Unlocked(top_, name);
    if (!folder.valid()) return Note();
    EachIn(folder.get(), [&](const char* below, bool is_folder_too) {
      if (!Remove(folder.get(), below, is_folder_too) && is_folder_too) MoveUp(folder.get(), below);
    });
    Remove(top_, name, true);
  }

  // Nobody else writes here: what is a folder stays one.
  static Fd Unlocked(int folder, const char* name) {
    (void)!::fchmodat(folder, name, 0700, 0);  // opening it says what is wrong
    return Fd(::openat(folder, name, kOpenFolder));
  }

  void MoveUp(int folder, const char* name) {
    (void)!::fchmodat(folder, name, 0700, 0);  // a folder that moves is written to
    const auto move = [&](const std::string& to) { return ::renameat(folder, name, top_, to.c_str()) == 0; };
    // A name that is taken by something that is not empty is passed over, an empty folder goes.
    while (!move("moved-up-" + std::to_string(++moved_)))
      if (errno != EEXIST && errno != ENOTEMPTY && errno != ENOTDIR) return Note();
    went_ = true;
  }

  void Note() {
    if (!error_ && errno != ENOTEMPTY && errno != EEXIST) error_ = errno;
  }

  int top_;
  bool went_ = false;
  bool left_ = false;
  uint64_t moved_ = 0;
  std::optional<int> error_;  // the first that is none of its ways
};

}  // namespace

Status RemoveFolder(const std::string& path) {
  struct stat facts {};
  if (::lstat(path.c_str(), &facts) != 0 || !S_ISDIR(facts.st_mode)) return Ok();
  (void)!::chmod(path.c_str(), 0700);  // opening it says what is wrong
  const Fd folder(::open(path.c_str(), kOpenFolder));
  const Status emptied =
      folder.valid() ? Emptying(folder).Run() : Fail(Error::FromErrno(errno, "opening it"));
  if (!emptied) return Fail(emptied.error().WithContext("cannot remove " + path));
  if (::rmdir(path.c_str()) == 0) return Ok();
  return Fail(Error::FromErrno(errno, "cannot remove " + path));
}

}  // namespace glasscase::working
