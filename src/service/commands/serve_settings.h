// What `glasscase serve` may be told, by flags or in a file with the same words.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <CLI/App.hpp>

#include <glasscase/core/error.h>

#include "cluster_settings.h"
#include "run_limit_settings.h"

namespace glasscase::commands {

struct ServeSettings {
  std::string data;
  std::string http = "127.0.0.1:8000";
  std::string control = "127.0.0.1:8010";
  std::string tls_cert;
  std::string tls_key;
  bool behind_proxy = false;
  bool closed_log = false;
  std::string catalog;                    // postgresql://…; empty: in the data directory
  std::string blobs;                      // s3://…; empty: in the data directory
  std::string blob_cache;                 // bytes, with an ending as in 16G
  uint32_t workers = 0;                   // that run jobs
  std::string worker_listen{};            // where those of other machines connect; empty: nowhere
  std::string runners;                    // folder
  std::vector<std::string> registries{};  // "host:port" that images of runs come from
  std::string registry_auth{};            // file
  std::string executor{};                 // "bubblewrap"; of runners "slurm", of images "kubernetes"
  std::string partition{};                // of Slurm
  std::string slurm_conf{};               // file
  ClusterSettings cluster{};              // of Kubernetes
  std::string jobs{};                     // folder
  std::string images{};                   // folder
  std::vector<std::string> devices{};     // for runs, not by Slurm
  RunLimitSettings run_limits{};          // the most of one
  uint32_t runs_per_owner = 0;            // at once; 0: as many as workers take
  uint64_t uploads_expire_s = 0;          // 0: as the custodian has it
  std::string config;

  bool HasTls() const { return !tls_cert.empty(); }
};

void DeclareServeOptions(CLI::App& command, ServeSettings& settings);

// Gives the options of `command` that no flag set the values of the file: lines `key = value`, where key is
// an option without its dashes, and comments after #. Relative paths count from the file's folder.
// InvalidArgument names the file and the key.
Status ReadSettingsFile(CLI::App& command, const std::filesystem::path& file);

// What `glasscase serve --data DATA` without further flags would take.
Result<ServeSettings> LoadServeSettings(const std::filesystem::path& data);
inline constexpr char kSettingsFile[] = "glasscase.conf";
// Replaces what the file says about catalog and blobs, and nothing else in it.
Status WriteStoreSettings(const std::filesystem::path& data, const ServeSettings& settings);

// InvalidArgument when an address has the wrong form, when only one of the two TLS files is given, or when a
// listener would leave this machine unencrypted.
Status CheckServeSettings(const ServeSettings& settings);

// The servers that the settings name, "host:port" each, once. InvalidArgument names the setting.
Result<std::vector<std::string>> ServersOf(const ServeSettings& settings);
// Where catalog and blobs are, as arguments of glasscase-custodian.
std::vector<std::string> StoreArguments(const ServeSettings& settings);

// The words for glasscased. `settings` passed CheckServeSettings.
std::vector<std::string> SupervisorArguments(const ServeSettings& settings, int ready_fd);

}  // namespace glasscase::commands
