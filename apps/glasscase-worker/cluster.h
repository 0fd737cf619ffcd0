// Where the cluster of Kubernetes is, and as whom it is asked: from the command line, or from what a pod
// finds in itself.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <CLI/App.hpp>

#include <glasscase/core/error.h>
#include <glasscase/jobs_kubernetes/kubernetes.h>

namespace glasscase::worker {

struct ClusterArguments {
  std::string url, ca, token, certificate, key;  // files, but for the first
  std::string name_space;
  std::string claim;  // "CLAIM" or "CLAIM/FOLDER"
  std::vector<std::string> pull_secrets;
  std::string runtime_class;
  std::string object = "job";  // or "workflow"
  std::string account;
  uint32_t gpus = 0;
};

void DeclareClusterOptions(CLI::App& app, ClusterArguments& arguments);

// Reads certificates and keys, which may be readable by root alone: call before giving up rights. The token's
// file is read later, again and again, by the worker's own user.
Result<jobs::KubernetesOptions> ReadCluster(const ClusterArguments& arguments);

}  // namespace glasscase::worker
