// What every command is given: the console, the profile that applies, the way to the server.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include <glasscase/commands/commands.h>
#include <glasscase/core/error.h>

#include "api.h"
#include "console.h"
#include "profile.h"

namespace glasscase::commands {

class Context {
 public:
  explicit Context(const Surroundings& surroundings);

  Console console;
  std::string profile_name = "default";

  const std::string& program_directory() const { return surroundings_.program_directory; }
  const std::string& version() const { return surroundings_.version; }
  const ProfileStore& profiles() const { return profiles_; }
  std::string Environment(const std::string& name) const;  // empty when not set

  // The chosen profile with GLASSCASE_URL, GLASSCASE_CONTROL_URL and GLASSCASE_TOKEN in the place of their
  // own fields; the addresses of a local server where neither says anything. Read once.
  Result<const Profile*> Connection();

  // FailedPrecondition, saying what to do, when there is no token or no address.
  Result<Api*> Public();
  Result<Api*> Control();

  // `option` when not empty, else GLASSCASE_DATA, the profile's, or $XDG_DATA_HOME/glasscase.
  Result<std::filesystem::path> DataDirectory(const std::string& option);

 private:
  Result<Api*> Open(std::unique_ptr<Api>& api, const std::string& url);

  const Surroundings& surroundings_;
  ProfileStore profiles_;
  std::optional<Profile> connection_;
  std::unique_ptr<Api> public_;
  std::unique_ptr<Api> control_;
};

}  // namespace glasscase::commands
