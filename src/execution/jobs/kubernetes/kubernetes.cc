#include <glasscase/jobs_kubernetes/kubernetes.h>

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>

#include <glasscase/jobs/image_name.h>

#include "cluster_job.h"

namespace glasscase::jobs {
namespace {

namespace bj = boost::json;
namespace fs = std::filesystem;

constexpr int64_t kAskAgainMs = 2'000;

class Kubernetes final : public Executor {
 public:
  explicit Kubernetes(KubernetesOptions options)
      : options_(std::move(options)), user_(options_.user.value_or(::geteuid())), paths_(options_) {}

  std::string_view name() const override { return "kubernetes"; }

  Status Check() const override {
    const auto checked = [&]() -> Status {
      GC_TRY_VOID(CheckUser());
      GC_TRY(const auto server, ApiServer::Connect(options_.access));
      return Prepare(*server);
    }();
    if (!checked)
      return Fail(Error::Unavailable("images cannot be run on the cluster: " + checked.error().message()));
    return Ok();
  }

  JobEnd Run(const Job& job, JobWatcher& watcher) override {
    if (const Status may_be_run = CheckJob(job); !may_be_run)
      return {.ending = Ending::kFailed, .reason = may_be_run.error().message()};
    if (!job.mounts.empty())
      return {.ending = Ending::kNotStarted,
              .reason = "a cluster's node has no " + job.mounts[0].from +
                        " of this machine: only images are run there"};
    auto server = ApiServer::Connect(options_.access);
    Status ready = server ? CheckUser() : Fail(server.error());
    if (ready) ready = PrepareWithPatience(**server, watcher);
    if (!ready && ready.error().code() == Code::kCancelled)
      return {.ending = Ending::kCancelled, .reason = ready.error().message()};
    if (!ready) return {.ending = Ending::kNotStarted, .reason = ready.error().message()};
    return ClusterJob(options_, user_, **server, job, watcher).Run();
  }

 private:
  // What is wrong with it wherever it is run.
  Status CheckJob(const Job& job) const {
    GC_TRY(const ImageName image, ImageName::Parse(job.image));
    return CheckRegistry(image, options_.registries);
  }

  Status CheckUser() const {
    if (user_ != 0) return Ok();
    return Fail(Error::FailedPrecondition(
        "jobs in a cluster run as the user of this worker, which must not be root"));
  }

  // Before each job: the server may have been away when this worker began, and somebody may have removed the
  // policy since.
  Status Prepare(ApiServer& server) const {
    GC_TRY_VOID(CheckPolicy(server));
    if (has_removed_) return Ok();
    GC_TRY_VOID(RemoveLeftOvers(server));
    has_removed_ = true;
    return Ok();
  }

  Status PrepareWithPatience(ApiServer& server, const JobWatcher& watcher) const {
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(options_.patience_ms);
    while (true) {
      Status prepared = Prepare(server);
      const bool is_away = !prepared && (prepared.error().code() == Code::kUnavailable ||
                                         prepared.error().code() == Code::kDeadlineExceeded);
      if (!is_away || std::chrono::steady_clock::now() >= until) return prepared;
      pollfd cancel{.fd = watcher.cancel_fd(), .events = POLLIN, .revents = 0};
      const int64_t pause_ms = std::max<int64_t>(kAskAgainMs, server.retry_after_ms());
      if (::poll(&cancel, 1, static_cast<int>(pause_ms)) > 0)
        return Fail(Error(Code::kCancelled, "it was cancelled"));
    }
  }

  Status CheckPolicy(ApiServer& server) const {
    const std::string path = paths_.policies + "/" + kPolicyName;
    auto policy = server.Get(path);
    if (!policy && policy.error().code() == Code::kNotFound) {
      policy = server.Create(paths_.policies, DescribePolicy());
      if (!policy && policy.error().code() == Code::kAlreadyExists) policy = server.Get(path);
    }
    if (!policy) return Fail(policy.error());
    if (DeniesAll(*policy)) return Ok();
    return Fail(Error::FailedPrecondition(
        "the NetworkPolicy " + std::string(kPolicyName) + " of namespace " + options_.name_space +
        " does not deny all that is denied to jobs: delete it, it is made again"));
  }

  // A worker's folder is there while it lives.
  Status RemoveLeftOvers(ApiServer& server) const {
    const std::string selector = std::string(kVolumeLabel) + "=" + VolumeName(options_);
    GC_TRY(const bj::value list, server.Get(paths_.objects + "?labelSelector=" + InQuery(selector)));
    for (const auto& [name, worker] : NamesAndLabels(list, kWorkerLabel)) {
      std::error_code code;
      if (worker.empty() || fs::exists(fs::path(options_.folder) / worker, code) || code) continue;
      Status removed = server.Delete(
          paths_.objects + "/" + name,
          {{"apiVersion", "v1"}, {"kind", "DeleteOptions"}, {"propagationPolicy", "Foreground"}});
      if (!removed && removed.error().code() != Code::kNotFound) return removed;
    }
    return Ok();
  }

  const KubernetesOptions options_;
  const uint32_t user_;
  const Paths paths_;
  mutable std::atomic<bool> has_removed_ = false;  // what was left over
};

}  // namespace

std::unique_ptr<Executor> MakeKubernetes(KubernetesOptions options) {
  return std::make_unique<Kubernetes>(std::move(options));
}

}  // namespace glasscase::jobs
