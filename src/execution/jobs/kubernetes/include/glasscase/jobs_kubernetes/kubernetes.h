// Runs jobs with an image on a Kubernetes cluster: each is a Job of batch/v1, or, where Argo Workflows are
// the cluster's way, a Workflow that makes the same Job. Speaks to the API server alone. The folder of a job
// lies on a volume that the cluster has too (a PersistentVolumeClaim).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <glasscase/core/secret.h>
#include <glasscase/jobs/executor.h>

namespace glasscase::jobs {

// How the API server is reached, and as whom.
struct ClusterAccess {
  std::string url;           // "https://cluster.example:6443"
  std::string ca_pem{};      // of its certificate's authority; empty: the system's
  std::string token_file{};  // read for every request, as tokens of service accounts are replaced under us
  std::string certificate_pem{};  // or, instead of a token, a certificate and its key
  std::shared_ptr<const Secret> key_pem{};
};

struct KubernetesOptions {
  ClusterAccess access;
  std::string name_space = "default";
  std::string claim{};                    // a PersistentVolumeClaim of that namespace, and
  std::string claim_folder{};             // the folder in it that is
  std::string folder{};                   // this one here: every job's folder lies below
  std::vector<std::string> registries{};  // "host:port" that images may come from
  std::vector<std::string>
      pull_secrets{};           // Secrets of the namespace with the cluster's names and passwords for them
  std::string runtime_class{};  // "gvisor"; empty: the cluster's own choice
  uint32_t gpus = 0;            // for each job
  std::string gpu_resource = "nvidia.com/gpu";
  bool by_workflow = false;        // a Workflow of Argo makes the Job
  std::string workflow_account{};  // the service account that does so; empty: the namespace's default
  std::optional<uint32_t> user{};  // that jobs run as, to whom their out/ belongs; default: this process's
  int64_t start_ms = 1'800'000;    // the most until it begins: a node that has room, its image
  int64_t patience_ms = 300'000;   // that the API server may be silent
};

// `Check`, and the beginning of each job, makes the namespace's NetworkPolicy where it is missing. The first
// time it also removes what workers that are gone left in the cluster: objects of this volume whose worker's
// folder below `folder` is not there any more.
std::unique_ptr<Executor> MakeKubernetes(KubernetesOptions options);

}  // namespace glasscase::jobs
