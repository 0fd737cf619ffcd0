#include "profile.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <sstream>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <glasscase/core/bytes.h>
#include <glasscase/process/fd.h>

#include "json_members.h"

namespace glasscase::commands {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

std::string Lookup(const EnvironmentVariables& environment, const char* name) {
  const auto found = environment.find(name);
  return found == environment.end() ? std::string() : found->second;
}

// A token in a file that others may read is no longer one person's; ssh treats its keys the same way.
Status CheckReadableByUserAlone(const fs::path& path) {
  struct stat file {};
  if (stat(path.c_str(), &file) != 0) return Fail(Error::FromErrno(errno, path.string()));
  if ((file.st_mode & 077U) == 0) return Ok();
  return Fail(Error::FailedPrecondition("other users may read the token in " + path.string() +
                                        ": withdraw that right with: chmod 600 " + path.string()));
}

Status WriteWhole(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0) return Fail(Error::FromErrno(errno, "writing"));
    text.remove_prefix(static_cast<size_t>(n));
  }
  if (fsync(fd) != 0) return Fail(Error::FromErrno(errno, "writing"));
  return Ok();
}

Status MakePrivateFolder(const fs::path& folder) {
  std::error_code error;
  if (folder.has_parent_path()) fs::create_directories(folder.parent_path(), error);
  if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    return Fail(Error::FromErrno(errno, "could not make the folder " + folder.string()));
  }
  return Ok();
}

}  // namespace

fs::path ProfileFolder(const EnvironmentVariables& environment) {
  const std::string config = Lookup(environment, "XDG_CONFIG_HOME");
  if (!config.empty() && config.front() == '/')
    return fs::path(config) / "glasscase";  // relative ones are invalid
  return fs::path(Lookup(environment, "HOME")) / ".config" / "glasscase";
}

Status CheckProfileName(std::string_view name) {
  static constexpr std::string_view kAllowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
  const bool allowed =
      !name.empty() && name.size() <= 64 && name.find_first_not_of(kAllowed) == std::string_view::npos;
  if (allowed && name.front() != '.' && name.front() != '-') return Ok();
  return Fail(Error::InvalidArgument("a profile's name is made of letters, digits, '.', '_' and '-': " +
                                     Printable(name)));
}

fs::path ProfileStore::PathOf(std::string_view name) const { return folder_ / (std::string(name) + ".json"); }

Result<std::optional<Profile>> ProfileStore::Load(std::string_view name) const {
  GC_TRY_VOID(CheckProfileName(name));
  const fs::path path = PathOf(name);
  std::error_code error;
  if (!fs::exists(path, error)) return std::optional<Profile>{};
  GC_TRY_VOID(CheckReadableByUserAlone(path));
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) return Fail(Error::FailedPrecondition("could not read " + path.string()));
  GC_TRY(const json::value value, ParseJson(text.str(), path.string()));
  Profile profile;
  profile.url = TextOf(value, "url");
  profile.control_url = TextOf(value, "control_url");
  profile.token = Secret(TextOf(value, "token"));
  profile.pin = TextOf(value, "pin");
  profile.data = TextOf(value, "data");
  return std::optional<Profile>(std::move(profile));
}

Status ProfileStore::Save(std::string_view name, const Profile& profile) const {
  GC_TRY_VOID(CheckProfileName(name));
  GC_TRY_VOID(MakePrivateFolder(folder_));
  const fs::path path = PathOf(name);
  const fs::path fresh = path.string() + ".new-" + std::to_string(getpid());
  const json::object members{{"url", profile.url},
                             {"control_url", profile.control_url},
                             {"token", std::string(profile.token.Reveal(RevealToken()))},
                             {"pin", profile.pin},
                             {"data", profile.data}};
  const Fd file(open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file.valid()) return Fail(Error::FromErrno(errno, "could not write " + fresh.string()));
  const Status written = WriteWhole(file.get(), json::serialize(members) + "\n");
  if (written && rename(fresh.c_str(), path.c_str()) == 0) return Ok();
  const Error why = written ? Error::FromErrno(errno, "renaming") : written.error();
  unlink(fresh.c_str());
  return Fail(why.WithContext("could not write the profile " + path.string()));
}

Result<std::string> ProfileStore::SetAside(std::string_view name) const {
  for (int n = 1; n < 1000; ++n) {
    const std::string aside = std::string(name) + "-" + std::to_string(n);
    if (link(PathOf(name).c_str(), PathOf(aside).c_str()) == 0) {
      unlink(PathOf(name).c_str());
      return aside;
    }
    if (errno != EEXIST)
      return Fail(Error::FromErrno(errno, "could not rename the profile " + PathOf(name).string()));
  }
  return Fail(Error::ResourceExhausted("too many former profiles in " + folder_.string()));
}

}  // namespace glasscase::commands
