// Runs on their way: from the queue to a worker, and from its result to a version.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <glasscase/training/recipe.h>

#include "desk.h"
#include "run_result.h"
#include "side_job.h"

namespace glasscase::operations {

// What a run says of itself while it runs.
struct RunProgress {
  double fraction = 0;
  std::string text;
};

// One thread: the loop's. States are in the catalog before anybody is told of them: what a process was doing
// when it ended begins once more, at most kAttemptsMax times.
class RunDesk {
 public:
  static constexpr uint32_t kAttemptsMax = 3;
  static constexpr uint32_t kOpenRunsMax = 10'000;  // of one owner

  // `folder` gets what runs print, a file for each.
  RunDesk(Desk& desk, Fd folder);

  // Those that an earlier custodian left under way wait again.
  Status TakeUp();
  // After a commit that queued runs.
  void Pump();
  // The run is its owner's to cancel, and not ended.
  Status Cancel(const catalog::Run& run);

  void OnMessage(const PeerId& worker, rpc::ToCustodian message, std::vector<Fd> fds);
  void OnWorkerGone(const PeerId& worker);

  // The lock file of a runner, as a worker that is there has it. FailedPrecondition says which runners there
  // are.
  Result<Digest> LockOf(const std::string& runner) const;
  // FailedPrecondition says which registries workers that are there take images from.
  Status CheckImage(const std::string& image) const;
  // FailedPrecondition when no worker that is there gives so much.
  Status CheckLimits(const training::RunLimits& limits) const;
  std::optional<RunProgress> ProgressOf(const Uuid& run) const;
  struct Printed {
    std::string bytes;
    uint64_t next = 0;
  };
  Result<Printed> ReadLog(const Uuid& run, uint64_t from) const;

 private:
  struct Worker {
    rpc::WorkerHello hello;
    size_t running = 0;
  };
  struct Active {
    PeerId worker;
    RunProgress progress;
    Fd log;
    std::vector<RunFile> files;
    bool records = false;  // the worker is done with it
    std::unique_ptr<SideJob> staging{};
  };
  using ActiveRuns = std::map<Uuid, Active>;

  bool AnyIsFree() const;
  std::optional<PeerId> FreeWorkerFor(const catalog::Run& run) const;
  // The first of those that wait which a free worker takes.
  struct Next {
    catalog::Run run;
    PeerId worker;
  };
  Result<std::optional<Next>> FindNext() const;
  Status Begin(catalog::Run run, const PeerId& worker);
  Status SendInputs(const catalog::Run& run, const PeerId& worker);
  void OnEnded(const PeerId& worker, const rpc::JobEnded& end);
  void Record(catalog::Run run, Active& active);
  // Puts it back into the queue, or ends it where that was done often enough.
  void TryAgain(catalog::Run run, const std::string& why);
  void Staged(catalog::Run run, const std::shared_ptr<std::vector<RunFile>>& files, const Status& staged);
  Status RecordRows(catalog::Run run, const std::vector<RunFile>& files);
  Status EndRun(catalog::Run run, catalog::RunState state, std::string reason);
  // Where nobody waits for the answer.
  void EndRunOrLog(catalog::Run run, catalog::RunState state, std::string reason);
  Status Save(const catalog::Run& run);
  Result<catalog::Run> Find(const std::string& id) const;
  void Release(const Uuid& run);

  Desk& desk_;
  Fd folder_;
  std::map<PeerId, Worker> workers_;
  ActiveRuns active_;
  bool pumping_ = false;
};

}  // namespace glasscase::operations
