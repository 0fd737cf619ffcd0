// What `glasscase serve` may be told, by flags or in a file with the same words.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <CLI/App.hpp>

#include <glasscase/core/error.h>

namespace glasscase::commands {

struct ServeSettings {
  std::string data;
  std::string http = "127.0.0.1:8000";
  std::string control = "127.0.0.1:8010";
  std::string tls_cert;
  std::string tls_key;
  bool behind_proxy = false;
  uint64_t uploads_expire_s = 0;  // 0: as the custodian has it
  std::string config;

  bool HasTls() const { return !tls_cert.empty(); }
};

void DeclareServeOptions(CLI::App& command, ServeSettings& settings);

// Gives the options of `command` that no flag set the values of the file: lines `key = value`, where key is
// an option without its dashes, and comments after #. Relative paths count from the file's folder.
// InvalidArgument names the file and the key.
Status ReadSettingsFile(CLI::App& command, const std::filesystem::path& file);

// InvalidArgument when an address has the wrong form, when only one of the two TLS files is given, or when a
// listener would leave this machine unencrypted.
Status CheckServeSettings(const ServeSettings& settings);

// The words for glasscased.
std::vector<std::string> SupervisorArguments(const ServeSettings& settings, int ready_fd);

}  // namespace glasscase::commands
