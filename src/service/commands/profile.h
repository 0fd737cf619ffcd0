// A profile says where the server is and as whom the commands speak. One file per profile, for its user
// alone.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include <glasscase/core/error.h>
#include <glasscase/core/secret.h>

namespace glasscase::commands {

struct Profile {
  std::string url;          // calls and a learner's own affairs
  std::string control_url;  // control acts; empty for learners
  Secret token;
  std::string pin;   // sha256//...; empty: a publicly trusted certificate, or plain HTTP
  std::string data;  // the installation's data directory; empty unless made by `glasscase init`
};

using EnvironmentVariables = std::map<std::string, std::string>;

// The directory of the profiles: $XDG_CONFIG_HOME/glasscase or ~/.config/glasscase.
std::filesystem::path ProfileFolder(const EnvironmentVariables& environment);

class ProfileStore {
 public:
  explicit ProfileStore(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // Nothing when there is none of that name. FailedPrecondition when the file is damaged, or when others may
  // read it.
  Result<std::optional<Profile>> Load(std::string_view name) const;
  // Replaces the file as a whole; readable by its user alone.
  Status Save(std::string_view name, const Profile& profile) const;
  // Renames the profile to the first free NAME-N, so that what replaces it loses no token. Returns that name.
  Result<std::string> SetAside(std::string_view name) const;

  std::filesystem::path PathOf(std::string_view name) const;

 private:
  std::filesystem::path folder_;
};

// InvalidArgument unless `name` is made of letters, digits, '.', '_' and '-' and starts with none of '.' and
// '-'.
Status CheckProfileName(std::string_view name);

}  // namespace glasscase::commands
