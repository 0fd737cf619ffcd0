// The cluster of Kubernetes, as `glasscase serve` is told of it. Workers speak to it; here it is only passed
// on.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <CLI/App.hpp>

#include <glasscase/core/error.h>

namespace glasscase::commands {

struct ClusterSettings {
  std::string url{}, ca{}, token{}, certificate{}, key{};  // files, but for the first
  std::string name_space{};
  std::string claim{};  // "CLAIM" or "CLAIM/FOLDER"
  std::vector<std::string> pull_secrets{};
  std::string runtime_class{};
  std::string object{};  // "job", "workflow"
  std::string account{};
  uint32_t gpus = 0;
};

void DeclareClusterOptions(CLI::App& command, ClusterSettings& settings);

// Whether a key of the settings' file is a path.
bool IsClusterPath(const std::string& key);

// InvalidArgument when something is missing, or there without `is_used`.
Status CheckClusterSettings(const ClusterSettings& settings, bool is_used);

// Words for glasscase-worker.
std::vector<std::string> ClusterArguments(const ClusterSettings& settings);

}  // namespace glasscase::commands
