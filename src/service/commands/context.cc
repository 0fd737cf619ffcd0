#include "context.h"

#include "invitation_link.h"

namespace glasscase::commands {
namespace {

namespace fs = std::filesystem;

std::string WithoutTrailingSlash(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

}  // namespace

Context::Context(const Surroundings& surroundings)
    : surroundings_(surroundings), profiles_(ProfileFolder(surroundings.environment)) {}

std::string Context::Environment(const std::string& name) const {
  const auto found = surroundings_.environment.find(name);
  return found == surroundings_.environment.end() ? std::string() : found->second;
}

Result<const Profile*> Context::Connection() {
  if (connection_) return &*connection_;
  GC_TRY(std::optional<Profile> stored, profiles_.Load(profile_name));
  if (!stored && profile_name != "default") {
    return Fail(Error::FailedPrecondition("there is no profile " + profile_name + " (" +
                                          profiles_.PathOf(profile_name).string() +
                                          "): glasscase login URL --profile " + profile_name + " makes it"));
  }
  Profile profile;
  if (stored) {
    profile = std::move(*stored);
  } else {
    profile.url = "http://127.0.0.1:8000";
    profile.control_url = "http://127.0.0.1:8010";
  }
  if (auto url = Environment("GLASSCASE_URL"); !url.empty()) profile.url = std::move(url);
  if (auto url = Environment("GLASSCASE_CONTROL_URL"); !url.empty()) profile.control_url = std::move(url);
  if (auto token = Environment("GLASSCASE_TOKEN"); !token.empty()) profile.token = Secret(std::move(token));
  profile.url = WithoutTrailingSlash(std::move(profile.url));
  profile.control_url = WithoutTrailingSlash(std::move(profile.control_url));
  connection_ = std::move(profile);
  return &*connection_;
}

Result<Api*> Context::Open(std::unique_ptr<Api>& api, const std::string& url) {
  if (api) return api.get();
  if (auto valid = CheckServerUrl(url); !valid)
    return Fail(Error::FailedPrecondition(valid.error().message()));
  if (connection_->token.empty()) {
    return Fail(
        Error::Unauthenticated("no token: run `glasscase init` where the server is to run, `glasscase login "
                               "URL` with the invitation you were "
                               "given, or set GLASSCASE_TOKEN"));
  }
  if (url.starts_with("http://") && !IsLoopbackUrl(url)) {
    console.Note("note: the token travels to " + url + " unencrypted");
  }
  api = std::make_unique<Api>(url, connection_->pin, connection_->token);
  return api.get();
}

Result<Api*> Context::Public() {
  GC_TRY(const Profile* profile, Connection());
  if (profile->url.empty()) {
    return Fail(
        Error::FailedPrecondition("no server is known: run `glasscase login URL`, or set GLASSCASE_URL"));
  }
  return Open(public_, profile->url);
}

Result<Api*> Context::Control() {
  GC_TRY(const Profile* profile, Connection());
  if (profile->control_url.empty()) {
    return Fail(
        Error::FailedPrecondition("this needs the server's control address, which the profile does not have "
                                  "(learners have none); owners set "
                                  "GLASSCASE_CONTROL_URL, for example http://127.0.0.1:8010"));
  }
  return Open(control_, profile->control_url);
}

Result<fs::path> Context::DataDirectory(const std::string& option) {
  fs::path path = option;
  if (path.empty()) path = Environment("GLASSCASE_DATA");
  if (path.empty()) {
    GC_TRY(const std::optional<Profile> stored, profiles_.Load(profile_name));
    if (stored) path = stored->data;
  }
  if (path.empty()) {
    const std::string home = Environment("XDG_DATA_HOME");
    path = !home.empty() && home.front() == '/' ? fs::path(home)
                                                : fs::path(Environment("HOME")) / ".local/share";
    path /= "glasscase";
  }
  std::error_code error;
  const fs::path absolute = fs::absolute(path, error);
  if (error)
    return Fail(Error::FailedPrecondition("could not resolve " + path.string() + ": " + error.message()));
  return absolute.lexically_normal();
}

}  // namespace glasscase::commands
