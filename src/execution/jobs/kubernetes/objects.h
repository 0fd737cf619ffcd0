// What is made in the cluster for a job.
#pragma once

#include <string>

#include <boost/json.hpp>

#include <glasscase/jobs_kubernetes/kubernetes.h>

namespace glasscase::jobs {

inline constexpr char kContainer[] = "job";
inline constexpr char kJobLabel[] = "glasscase/job";        // on object and pod: the object's name
inline constexpr char kWorkerLabel[] = "glasscase/worker";  // the folder of the worker that made it
inline constexpr char kVolumeLabel[] = "glasscase/volume";  // which volume that folder is on
inline constexpr char kPolicyName[] = "glasscase-jobs";

// Where the job's folder lies, as the cluster knows it.
struct PlaceOnVolume {
  std::string path;    // in the claim: "glasscase/glasscase-jobs-Ab12Cd/1f0e…"
  std::string worker;  // the folder below KubernetesOptions::folder
};
// FailedPrecondition when it does not lie on the volume.
Result<PlaceOnVolume> PlaceOf(const Job& job, const KubernetesOptions& options);

// Names the volume in labels, which hold no paths.
std::string VolumeName(const KubernetesOptions& options);

// `user`: not root. `name` becomes the name of the object, and of the Job that a Workflow makes.
boost::json::object DescribeJob(const std::string& name, const Job& job, const PlaceOnVolume& place,
                                uint32_t user, const KubernetesOptions& options);
boost::json::object DescribeWorkflow(const std::string& name, const Job& job, const PlaceOnVolume& place,
                                     uint32_t user, const KubernetesOptions& options);

// Nothing goes in or out of pods that have kJobLabel.
boost::json::object DescribePolicy();
// Whether one that is there does that.
bool DeniesAll(const boost::json::value& policy);

}  // namespace glasscase::jobs
