#include "objects.h"

#include <algorithm>
#include <filesystem>

#include <glasscase/core/bytes.h>
#include <glasscase/crypto/sha256.h>

namespace glasscase::jobs {
namespace {

namespace bj = boost::json;
namespace fs = std::filesystem;

constexpr uint64_t kLogsOnNode = uint64_t{64} << 20;  // what a node keeps of them counts as the pod's
constexpr int64_t kKeptFor = 86'400;                  // seconds, when nobody removes it
#if defined(__aarch64__)
constexpr char kArchitecture[] = "arm64";
#else
constexpr char kArchitecture[] = "amd64";
#endif

int64_t Seconds(int64_t ms) { return std::max<int64_t>(1, (ms + 999) / 1000); }

// In commands and variables of a pod $(NAME) is replaced, and $$ is how a $ is written.
std::string Literal(std::string_view text) {
  std::string literal;
  for (const char c : text) literal.append(c == '$' ? 2 : 1, c);
  return literal;
}

bj::object Labels(const std::string& name, const PlaceOnVolume& place, const KubernetesOptions& options) {
  return {{"app.kubernetes.io/managed-by", "glasscase"},
          {kJobLabel, name},
          {kVolumeLabel, VolumeName(options)},
          {kWorkerLabel, place.worker}};
}

bj::object Resources(const Limits& limits, const KubernetesOptions& options) {
  bj::object most{{"cpu", std::to_string(limits.cpus)},
                  {"memory", std::to_string(limits.memory_bytes)},
                  {"ephemeral-storage", std::to_string(limits.temporary_bytes + kLogsOnNode)}};
  if (options.gpus > 0) most[options.gpu_resource] = std::to_string(options.gpus);
  return {{"limits", most}, {"requests", most}};
}

bj::object Container(const Job& job, const PlaceOnVolume& place, const KubernetesOptions& options) {
  bj::array command, environment;
  for (const std::string& word : job.command) command.emplace_back(Literal(word));
  for (const auto& [name, value] : job.environment)
    environment.emplace_back(bj::object{{"name", name}, {"value", Literal(value)}});
  const auto mount = [](const char* name, const char* to, const std::string& part, bool read_only) {
    bj::object mounted{{"name", name}, {"mountPath", to}, {"readOnly", read_only}};
    if (!part.empty()) mounted["subPath"] = part;
    return mounted;
  };
  return {
      {"name", kContainer},
      {"image", job.image},
      {"imagePullPolicy", "IfNotPresent"},
      {"command", std::move(command)},
      {"env", std::move(environment)},
      {"workingDir", "/out"},
      {"resources", Resources(job.limits, options)},
      {"securityContext",
       {{"allowPrivilegeEscalation", false},
        {"capabilities", {{"drop", {"ALL"}}}},
        {"privileged", false},
        {"readOnlyRootFilesystem", true}}},
      {"volumeMounts",
       {mount("files", "/in", place.path + "/in", true), mount("files", "/out", place.path + "/out", false),
        mount("tmp", "/tmp", "", false), mount("shm", "/dev/shm", "", false)}}};
}

bj::object Pod(const Job& job, const PlaceOnVolume& place, uint32_t user, const KubernetesOptions& options) {
  const std::string temporary = std::to_string(job.limits.temporary_bytes);
  bj::array secrets;
  for (const std::string& one : options.pull_secrets) secrets.emplace_back(bj::object{{"name", one}});
  bj::object pod{
      // Ours end it first, with the reason; the cluster's are for when nobody of us is there.
      {"activeDeadlineSeconds", Seconds(options.start_ms + job.limits.wall_ms + job.limits.grace_ms)},
      {"automountServiceAccountToken", false},
      {"containers", {Container(job, place, options)}},
      // A name server that is not there: names would be a way out.
      {"dnsConfig", {{"nameservers", {"127.0.0.1"}}}},
      {"dnsPolicy", "None"},
      {"enableServiceLinks", false},
      {"hostIPC", false},
      {"hostNetwork", false},
      {"hostPID", false},
      {"hostname", "job"},
      {"nodeSelector", {{"kubernetes.io/arch", kArchitecture}, {"kubernetes.io/os", "linux"}}},
      {"restartPolicy", "Never"},
      // As first process of its own a program would not be ended by SIGTERM, nor by its own abort().
      {"shareProcessNamespace", true},
      {"securityContext",
       {{"runAsGroup", user},
        {"runAsNonRoot", true},
        {"runAsUser", user},
        {"seccompProfile", {{"type", "RuntimeDefault"}}}}},
      {"terminationGracePeriodSeconds", Seconds(job.limits.grace_ms)},
      {"volumes",
       {{{"name", "files"}, {"persistentVolumeClaim", {{"claimName", options.claim}}}},
        {{"name", "tmp"}, {"emptyDir", {{"sizeLimit", temporary}}}},
        {{"name", "shm"}, {"emptyDir", {{"medium", "Memory"}, {"sizeLimit", temporary}}}}}}};
  if (!secrets.empty()) pod["imagePullSecrets"] = std::move(secrets);
  if (!options.runtime_class.empty()) pod["runtimeClassName"] = options.runtime_class;
  return pod;
}

}  // namespace

Result<PlaceOnVolume> PlaceOf(const Job& job, const KubernetesOptions& options) {
  const fs::path below =
      fs::path(job.folder).lexically_normal().lexically_relative(fs::path(options.folder).lexically_normal());
  if (below.empty() || below == "." || *below.begin() == "..")
    return Fail(Error::FailedPrecondition("the folder " + job.folder + " is not below " + options.folder +
                                          ", which the cluster has as the claim " + options.claim));
  return PlaceOnVolume{.path = (fs::path(options.claim_folder) / below).string(), .worker = *below.begin()};
}

std::string VolumeName(const KubernetesOptions& options) {
  const Digest digest = Sha256(AsBytes(options.claim + "/" + options.claim_folder));
  return ToHex(digest).substr(0, 32);
}

bj::object DescribeJob(const std::string& name, const Job& job, const PlaceOnVolume& place, uint32_t user,
                       const KubernetesOptions& options) {
  const bj::object labels = Labels(name, place, options);
  return {
      {"apiVersion", "batch/v1"},
      {"kind", "Job"},
      {"metadata", {{"name", name}, {"labels", labels}}},
      {"spec",
       {{"activeDeadlineSeconds", Seconds(2 * options.start_ms + job.limits.wall_ms + job.limits.grace_ms)},
        // Whether it is tried again, we decide.
        {"backoffLimit", 0},
        {"completions", 1},
        {"parallelism", 1},
        {"podReplacementPolicy", "Failed"},
        {"template", {{"metadata", {{"labels", labels}}}, {"spec", Pod(job, place, user, options)}}},
        {"ttlSecondsAfterFinished", kKeptFor}}}};
}

// A step of the kind `resource`: Argo's own container, which needs the cluster's network, is then not beside
// the job's.
bj::object DescribeWorkflow(const std::string& name, const Job& job, const PlaceOnVolume& place,
                            uint32_t user, const KubernetesOptions& options) {
  bj::object spec{
      {"activeDeadlineSeconds", Seconds(3 * options.start_ms + job.limits.wall_ms + job.limits.grace_ms)},
      {"entrypoint", "run"},
      {"templates",
       {{{"name", "run"},
         {"resource",
          {{"action", "create"},
           {"failureCondition", "status.failed > 0"},
           {"manifest", bj::serialize(DescribeJob(name, job, place, user, options))},
           {"setOwnerReference", true},
           {"successCondition", "status.succeeded > 0"}}}}}},
      {"ttlStrategy", {{"secondsAfterCompletion", kKeptFor}}}};
  if (!options.workflow_account.empty()) spec["serviceAccountName"] = options.workflow_account;
  return {{"apiVersion", "argoproj.io/v1alpha1"},
          {"kind", "Workflow"},
          {"metadata", {{"name", name}, {"labels", Labels(name, place, options)}}},
          {"spec", std::move(spec)}};
}

bj::object DescribePolicy() {
  return {{"apiVersion", "networking.k8s.io/v1"},
          {"kind", "NetworkPolicy"},
          {"metadata", {{"name", kPolicyName}, {"labels", {{"app.kubernetes.io/managed-by", "glasscase"}}}}},
          {"spec",
           {{"podSelector", {{"matchExpressions", {{{"key", kJobLabel}, {"operator", "Exists"}}}}}},
            {"policyTypes", {"Ingress", "Egress"}}}}};
}

bool DeniesAll(const bj::value& policy) {
  const bj::object* const object = policy.if_object();
  const bj::value* const spec = object != nullptr ? object->if_contains("spec") : nullptr;
  return spec != nullptr && *spec == DescribePolicy().at("spec");
}

}  // namespace glasscase::jobs
