// One job on the cluster, from its object's making to its removal.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <glasscase/jobs/last_words.h>

#include "api_server.h"
#include "log_follower.h"
#include "objects.h"
#include "pod_state.h"

namespace glasscase::jobs {

// Where things are asked for in the API, for the options' kind of object.
struct Paths {
  explicit Paths(const KubernetesOptions& options);
  std::string objects;  // Jobs or Workflows of the namespace
  std::string pods;
  std::string events;
  std::string policies;
};

class ClusterJob {
 public:
  // All outlive it. `user` is not root.
  ClusterJob(const KubernetesOptions& options, uint32_t user, ApiServer& server, const Job& job,
             JobWatcher& watcher);

  // Returns when nothing of it is left in the cluster, or with what may be.
  JobEnd Run();

 private:
  using Clock = std::chrono::steady_clock;

  Status Make(const PlaceOnVolume& place);
  void Follow();
  void Finish();

  // Waits; passes the log on meanwhile. Until it is cancelled, where that was not known.
  void Wait(std::chrono::milliseconds most);
  std::chrono::milliseconds PauseBeforeLook() const;
  void PassLogOn();

  void LookAtPods();
  void LookAtPod(const PodView& pod);
  void LookWithoutPod();
  void LookAtHindrance(const PodView& pod);
  void LookAtLimits();
  // What it wrote too much of; nothing: it did not.
  std::optional<std::string> TooMuchWritten();
  void NoteSilence(const Error& error);
  void BeginLog(const PodView& pod);

  void End(JobEnd end);
  void End(Ending ending, std::string reason);

  void ReadLogToItsEnd();
  void Remove();
  Result<bool> IsGone();
  // Asks until there is an answer that repetition would not change, or patience ends.
  Status Persist(const std::function<Status()>& ask);

  void SayWhatWasHeld();
  std::string ObjectPath() const { return paths_.objects + "/" + name_; }
  std::string PodsOfJob() const;
  std::string What() const;  // "Job x in namespace y"

  const KubernetesOptions& options_;
  const Paths paths_;
  const uint32_t user_;
  ApiServer& server_;
  const Job& job_;
  LastWords words_;
  const std::string name_;

  std::optional<JobEnd> end_;
  bool may_be_there_ = true;  // its object
  bool ends_now_ = false;     // without grace
  bool is_cancelled_ = false;
  std::string pod_, node_, image_id_;
  bool pod_has_ended_ = false;
  std::unique_ptr<LogFollower> log_;
  uint64_t logged_ = 0;
  std::vector<std::string> missing_;

  const Clock::time_point begun_ = Clock::now();
  Clock::time_point looked_at_ = begun_;  // the pod
  std::optional<Clock::time_point> running_since_, ended_at_, silent_since_, hindered_since_;
  std::string hindrance_;
  Clock::time_point look_at_folder_{}, look_for_events_ = begun_;
  std::chrono::milliseconds asked_pause_{0};
};

}  // namespace glasscase::jobs
