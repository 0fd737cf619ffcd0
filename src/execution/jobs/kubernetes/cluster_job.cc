#include "cluster_job.h"

#include <poll.h>

#include <algorithm>

#include <glasscase/core/ids.h>
#include <glasscase/jobs/folder_size.h>
#include <glasscase/jobs/image_name.h>

namespace glasscase::jobs {
namespace {

namespace bj = boost::json;
using std::chrono::duration_cast;
using std::chrono::milliseconds;

constexpr milliseconds kLookFirst{100};  // at the pod; less and less often, as it goes on
constexpr milliseconds kLookMost{2'000};
constexpr milliseconds kFolderEvery{500};    // /out, on a volume that is elsewhere
constexpr milliseconds kNoPodAfter{15'000};  // then the cluster's events are asked why
constexpr milliseconds kRetryFirst{200};
constexpr milliseconds kRetryMost{10'000};
constexpr milliseconds kLogEnd{30'000};  // until the log of a container that has ended is whole

std::string Mebibytes(uint64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

// Of an object with its dependents, and when they are gone.
bj::object DeleteWhole() {
  return {{"apiVersion", "v1"}, {"kind", "DeleteOptions"}, {"propagationPolicy", "Foreground"}};
}

// Certainly nothing was made.
bool IsRefusal(Code code) {
  return code == Code::kInvalidArgument || code == Code::kPermissionDenied || code == Code::kNotFound ||
         code == Code::kUnauthenticated || code == Code::kFailedPrecondition;
}

}  // namespace

Paths::Paths(const KubernetesOptions& options) {
  const std::string name_space = "/namespaces/" + InQuery(options.name_space);
  objects = options.by_workflow ? "/apis/argoproj.io/v1alpha1" + name_space + "/workflows"
                                : "/apis/batch/v1" + name_space + "/jobs";
  pods = "/api/v1" + name_space + "/pods";
  events = "/api/v1" + name_space + "/events";
  policies = "/apis/networking.k8s.io/v1" + name_space + "/networkpolicies";
}

ClusterJob::ClusterJob(const KubernetesOptions& options, uint32_t user, ApiServer& server, const Job& job,
                       JobWatcher& watcher)
    : options_(options),
      paths_(options),
      user_(user),
      server_(server),
      job_(job),
      words_(watcher),
      // Chosen here, not by the server: made twice, it is the same.
      name_("glasscase-" + Uuid::Random().ToString()) {}

std::string ClusterJob::What() const {
  return std::string(options_.by_workflow ? "Workflow " : "Job ") + name_ + " in namespace " +
         options_.name_space;
}

std::string ClusterJob::PodsOfJob() const {
  return paths_.pods + "?labelSelector=" + InQuery(std::string(kJobLabel) + "=" + name_);
}

JobEnd ClusterJob::Run() {
  const auto place = PlaceOf(job_, options_);
  if (!place) return {.ending = Ending::kNotStarted, .reason = place.error().message()};
  if (const Status made = Make(*place); !made) {
    if (!end_) End(Ending::kNotStarted, "the cluster did not take it: " + made.error().message());
  } else {
    Follow();
  }
  Finish();
  SayWhatWasHeld();
  return *std::move(end_);
}

Status ClusterJob::Make(const PlaceOnVolume& place) {
  const bj::object object = options_.by_workflow ? DescribeWorkflow(name_, job_, place, user_, options_)
                                                 : DescribeJob(name_, job_, place, user_, options_);
  Status made = Persist([&]() -> Status {
    if (is_cancelled_) {
      End(Ending::kCancelled, "it was cancelled");
      return Fail(Error(Code::kCancelled, "it was cancelled"));
    }
    GC_TRY_VOID(server_.Create(paths_.objects, object));
    return Ok();
  });
  // The name is ours alone: it is there because an answer of before got lost.
  if (!made && made.error().code() == Code::kAlreadyExists) return Ok();
  may_be_there_ = made || !IsRefusal(made.error().code());
  return made;
}

void ClusterJob::Follow() {
  while (!end_) {
    Wait(PauseBeforeLook());
    if (is_cancelled_) End(Ending::kCancelled, "it was cancelled");
    if (!end_) LookAtPods();
    if (!end_) LookAtLimits();
  }
}

// ---- waiting ----

milliseconds ClusterJob::PauseBeforeLook() const {
  if (asked_pause_.count() > 0) return asked_pause_;
  const auto age = duration_cast<milliseconds>(Clock::now() - running_since_.value_or(begun_));
  return std::clamp(age / 10, kLookFirst, kLookMost);
}

void ClusterJob::Wait(milliseconds most) {
  const auto until = Clock::now() + most;
  // The end of a log is mostly the end of its container.
  const bool log_was_open = log_ && !log_->IsDone();
  while (true) {
    const auto left = duration_cast<milliseconds>(until - Clock::now());
    pollfd waits[2] = {{.fd = is_cancelled_ ? -1 : words_.cancel_fd(), .events = POLLIN, .revents = 0},
                       {.fd = log_was_open ? log_->ready_fd() : -1, .events = POLLIN, .revents = 0}};
    const int ready = ::poll(waits, 2, static_cast<int>(std::max<int64_t>(0, left.count())));
    if (waits[1].revents != 0) PassLogOn();
    if (waits[0].revents != 0) is_cancelled_ = true;
    if (ready <= 0 || waits[0].revents != 0 || (log_was_open && log_->IsDone()) || Clock::now() >= until)
      return;
  }
}

void ClusterJob::PassLogOn() {
  if (!log_) return;
  const std::string text = log_->Take();
  const uint64_t kept = std::min(logged_, job_.limits.log_bytes);
  const uint64_t room = std::min<uint64_t>(text.size(), job_.limits.log_bytes - kept);
  if (room > 0) words_.OnLog(std::string_view(text).substr(0, room));
  logged_ += text.size();
}

Status ClusterJob::Persist(const std::function<Status()>& ask) {
  const auto until = Clock::now() + milliseconds(options_.patience_ms);
  for (milliseconds pause = kRetryFirst;; pause = std::min(2 * pause, kRetryMost)) {
    Status answer = ask();
    if (answer || Clock::now() >= until) return answer;
    const Code code = answer.error().code();
    if (code != Code::kUnavailable && code != Code::kDeadlineExceeded && code != Code::kUnauthenticated)
      return answer;
    Wait(std::max(pause, milliseconds(server_.retry_after_ms())));
  }
}

// ---- while it is there ----

void ClusterJob::LookAtPods() {
  const auto list = server_.Get(PodsOfJob());
  if (!list) return NoteSilence(list.error());
  const auto pods = ReadPods(*list);
  if (!pods) return NoteSilence(pods.error());
  silent_since_.reset();
  asked_pause_ = milliseconds(0);
  const auto now = Clock::now();
  const PodView* const pod = TheOne(*pods);
  if (pod != nullptr)
    LookAtPod(*pod);
  else
    LookWithoutPod();
  looked_at_ = now;
}

// A server that is away ends no job, not at once.
void ClusterJob::NoteSilence(const Error& error) {
  const auto now = Clock::now();
  if (!silent_since_) silent_since_ = now;
  const auto silent = duration_cast<milliseconds>(now - *silent_since_);
  asked_pause_ =
      std::max({milliseconds(server_.retry_after_ms()), kRetryFirst, std::min(silent / 4, kRetryMost)});
  if (silent >= milliseconds(options_.patience_ms))
    End(Ending::kNotStarted, "nothing could be asked about it for " + std::to_string(silent.count() / 1000) +
                                 " s: " + error.message());
}

void ClusterJob::LookAtPod(const PodView& pod) {
  pod_ = pod.name;
  if (!pod.node.empty()) node_ = pod.node;
  if (!pod.image_id.empty()) image_id_ = pod.image_id;
  const bool has_begun =
      pod.container == ContainerState::kRunning || pod.container == ContainerState::kTerminated;
  if (has_begun && !running_since_) {
    // One that has ended already began after the last look.
    running_since_ = pod.container == ContainerState::kRunning ? Clock::now() : looked_at_;
    BeginLog(pod);
  }
  auto end = EndOfPod(pod, job_);
  if (!end) return LookAtHindrance(pod);
  pod_has_ended_ = true;
  if (end->ending == Ending::kNotStarted) {
    // That the Job's own time was up is said in the Job alone.
    const auto object = server_.Get(ObjectPath());
    if (object && ReadObject(*object).reason == "DeadlineExceeded")
      end = EndOfObject(ReadObject(*object), job_);
  }
  End(*std::move(end));
}

void ClusterJob::BeginLog(const PodView& pod) {
  auto log =
      LogFollower::Begin(options_.access, paths_.pods + "/" + pod.name + "/log?container=" + kContainer);
  if (log)
    log_ = *std::move(log);
  else
    missing_.push_back("its log: " + log.error().message());
}

void ClusterJob::LookAtHindrance(const PodView& pod) {
  auto hindrance = WhatHinders(pod, job_);
  if (!hindrance) {
    hindered_since_.reset();
    const bool waits_too_long = !running_since_ && Clock::now() - begun_ >= milliseconds(options_.start_ms);
    if (waits_too_long)
      End(Ending::kNotStarted, "it did not begin within " + std::to_string(options_.start_ms / 1000) + " s" +
                                   (hindrance_.empty() ? "" : ": " + hindrance_));
    return;
  }
  hindrance_ = hindrance->reason;
  if (!hindered_since_) hindered_since_ = Clock::now();
  const int64_t patience_ms = hindrance->patience_ms < 0 ? options_.start_ms : hindrance->patience_ms;
  if (hindrance->is_final || Clock::now() - *hindered_since_ >= milliseconds(patience_ms))
    End(hindrance->ending, hindrance->reason);
}

void ClusterJob::LookWithoutPod() {
  const auto now = Clock::now();
  const auto object = server_.Get(ObjectPath());
  if (!object) {
    if (object.error().code() != Code::kNotFound) return NoteSilence(object.error());
    return End(Ending::kNotStarted, "somebody else removed its " + What());
  }
  const ObjectView view = ReadObject(*object);
  if (view.has_failed) return End(EndOfObject(view, job_));
  if (!pod_.empty()) return End(Ending::kNotStarted, "somebody else deleted its pod " + pod_);
  if (now - begun_ < kNoPodAfter || now < look_for_events_) return;
  look_for_events_ = now + kNoPodAfter;
  const auto events = server_.Get(
      paths_.events + "?fieldSelector=" + InQuery("involvedObject.name=" + name_ + ",type=Warning"));
  const std::string message = events ? LastMessage(*events) : "";
  if (!message.empty())
    return End(Ending::kNotStarted, "the cluster makes no pod for it: " + Printable(message, 600));
  if (now - begun_ >= milliseconds(options_.start_ms))
    End(Ending::kNotStarted,
        "the cluster made no pod for it within " + std::to_string(options_.start_ms / 1000) + " s");
}

void ClusterJob::LookAtLimits() {
  if (!running_since_) return;
  if (Clock::now() - *running_since_ >= milliseconds(job_.limits.wall_ms))
    return End(Ending::kTimedOut, "it took longer than " + std::to_string(job_.limits.wall_ms / 1000) + " s");
  if (Clock::now() < look_at_folder_) return;
  auto too_much = TooMuchWritten();
  if (!too_much) return;
  ends_now_ = true;
  End(Ending::kOverDisk, *std::move(too_much));
}

std::optional<std::string> ClusterJob::TooMuchWritten() {
  const auto begun = Clock::now();
  const auto size = MeasureFolder(job_.folder + "/out", job_.limits.files);
  // A look that takes long is not taken more often for it.
  look_at_folder_ = Clock::now() + std::max<Clock::duration>(kFolderEvery, 10 * (Clock::now() - begun));
  if (!size) return std::nullopt;
  if (size->files > job_.limits.files)
    return "it wrote more than " + std::to_string(job_.limits.files) + " files to /out";
  if (size->bytes > job_.limits.disk_bytes)
    return "it wrote more than " + Mebibytes(job_.limits.disk_bytes) + " to /out";
  return std::nullopt;
}

// The first reason counts.
void ClusterJob::End(JobEnd end) {
  if (end_) return;
  end_ = std::move(end);
  ended_at_ = Clock::now();
}
void ClusterJob::End(Ending ending, std::string reason) {
  End({.ending = ending, .reason = std::move(reason)});
}

// ---- its end ----

void ClusterJob::Finish() {
  if (pod_has_ended_) {
    ReadLogToItsEnd();  // before the pod is gone, and its log with it
    auto too_much = TooMuchWritten();
    if (too_much && end_->ending == Ending::kSucceeded)
      end_ = {.ending = Ending::kOverDisk, .reason = *std::move(too_much)};
  }
  if (may_be_there_) Remove();
  PassLogOn();
  log_.reset();
}

void ClusterJob::ReadLogToItsEnd() {
  if (!log_) return;
  log_->ContainerHasEnded();
  const auto until = Clock::now() + std::min(kLogEnd, milliseconds(options_.patience_ms));
  while (!log_->IsDone() && Clock::now() < until) Wait(milliseconds(100));
  PassLogOn();
  if (!log_->IsDone() || !log_->trouble().empty())
    missing_.push_back("the end of its log: " +
                       (log_->trouble().empty() ? "it did not come in time" : log_->trouble()));
}

void ClusterJob::Remove() {
  (void)Persist([&] { return server_.Delete(ObjectPath(), DeleteWhole()); });
  if (!pod_.empty() && !pod_has_ended_) {
    // 0 would take it out of the API server's books at once, whether or not its node has ended it.
    const int64_t grace_s = ends_now_ ? 1 : std::max<int64_t>(1, (job_.limits.grace_ms + 999) / 1000);
    (void)server_.Delete(paths_.pods + "/" + pod_,
                         {{"apiVersion", "v1"}, {"kind", "DeleteOptions"}, {"gracePeriodSeconds", grace_s}});
  }
  const auto until = Clock::now() + milliseconds(options_.patience_ms + job_.limits.grace_ms);
  for (milliseconds pause = kLookFirst; Clock::now() < until; pause = std::min(2 * pause, kLookMost / 2)) {
    const auto gone = IsGone();
    if (gone && *gone) return;
    Wait(pause);
  }
  missing_.push_back("its removal: " + What() + " or a pod of it may still be there");
  end_->reason += (end_->reason.empty() ? "" : "; ") + What() + " could not be removed";
}

Result<bool> ClusterJob::IsGone() {
  const auto object = server_.Get(ObjectPath());
  if (object) return false;
  if (object.error().code() != Code::kNotFound) return Fail(object.error());
  GC_TRY(const bj::value list, server_.Get(PodsOfJob()));
  GC_TRY(const auto pods, ReadPods(list));
  return pods.empty();
}

// ---- the record ----

void ClusterJob::SayWhatWasHeld() {
  JobEnd& end = *end_;
  const Limits& limits = job_.limits;
  if (end.ending == Ending::kFailed && running_since_ && !words_.Line().empty())
    end.reason += "; it printed last: " + words_.Line();
  if (const auto size = MeasureFolder(job_.folder + "/out", limits.files)) end.usage.disk_bytes = size->bytes;
  end.usage.log_bytes = logged_;
  if (!running_since_) return;
  end.usage.wall_ms = duration_cast<milliseconds>(*ended_at_ - *running_since_).count();
  end.image = DigestOfImage(image_id_);
  if (end.image.empty()) end.image = job_.image.substr(job_.image.find('@') + 1);
  end.machine = bj::serialize(bj::object{{"cluster", server_.host()}, {"node", node_}});
  end.in_force = {
      "files: its inputs, its results and the image",
      "user: " + std::to_string(user_) + ", no new privileges, no capabilities, read-only root",
      "system calls: the node's default filter (seccomp RuntimeDefault)",
      "processors: " + std::to_string(limits.cpus) + ", by the node",
      "memory: " + std::to_string(limits.memory_bytes) + " bytes, of all together by the node",
      "disk: " + std::to_string(limits.disk_bytes) + " bytes in " + std::to_string(limits.files) +
          " files of /out, looked at every " + std::to_string(kFolderEvery.count()) + " ms",
      "time: " + std::to_string(limits.wall_ms) + " ms, by the worker and by the cluster",
      "/tmp and /dev/shm: " + std::to_string(limits.temporary_bytes) + " bytes each, by the node"};
  if (options_.gpus > 0)
    end.in_force.push_back("devices: " + std::to_string(options_.gpus) + " " + options_.gpu_resource);
  if (!options_.runtime_class.empty()) end.in_force.push_back("runtime class: " + options_.runtime_class);
  end.missing = std::move(missing_);
  end.missing.insert(
      end.missing.end(),
      {"network: denied by the NetworkPolicy " + std::string(kPolicyName) +
           ", which is worth what the cluster's network plugin makes of it: the API does not say",
       "processes and threads: the node's own limit (podPidsLimit)", "number of processors that it sees",
       "processor time and memory that it used: not measured"});
  if (job_.umask != 022) end.missing.emplace_back("umask: a pod has the node's");
}

}  // namespace glasscase::jobs
