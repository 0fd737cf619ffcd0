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
#include "inspections.h"
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

  // `folder` gets what runs print, a file for each. `version`: of this program.
  RunDesk(Desk& desk, Inspections& inspections, std::string version, Fd folder);

  // Those that an earlier custodian left under way wait again.
  Status TakeUp();
  // After a commit that queued runs.
  void Pump();
  // The run is its owner's to cancel, and not ended.
  Status Cancel(const catalog::Run& run);

  void OnMessage(const PeerId& worker, rpc::ToCustodian message, std::vector<Fd> fds);
  void OnWorkerGone(const PeerId& worker);

  const std::string& version() const { return version_; }
  // Whether a process still works at it, or has not heard of its result yet.
  bool IsActive(const Uuid& run) const { return active_.contains(run); }
  // FailedPrecondition when there is none.
  Status CheckWorkers() const;
  // The lock file of a runner, as a worker that is there has it. FailedPrecondition says which runners there
  // are.
  Result<Digest> LockOf(const std::string& runner) const;
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

  std::optional<PeerId> FreeWorker() const;
  Status Begin(catalog::Run run, const PeerId& worker);
  Status SendInputs(const catalog::Run& run, const PeerId& worker);
  void OnEnded(const PeerId& worker, const rpc::JobEnded& end);
  void Record(catalog::Run run, Active& active);
  // Puts it back into the queue, or ends it where that was done often enough.
  void TryAgain(catalog::Run run, const std::string& why);
  using Files = std::shared_ptr<std::vector<RunFile>>;
  using Report = std::optional<rpc::InspectReport>;  // of a result that is to be hosted
  void Staged(const catalog::Run& run, const Files& files);
  void Commit(const catalog::Run& run, const Files& files, const Report& report);
  void Refuse(const catalog::Run& run, const std::string& why);
  void NoteRecorded(const catalog::Run& run, bool hosted);
  void RemoveLeftOver(const std::vector<RunFile>& files);
  Status TranslateAsAsked(catalog::Transaction& transaction, catalog::Run& run,
                          const catalog::Version& version, const std::vector<RunFile>& files);
  Status RecordRows(catalog::Run run, const std::vector<RunFile>& files, const Report& report);
  Status EndRun(catalog::Run run, catalog::RunState state, std::string reason);
  // Where nobody waits for the answer.
  void EndRunOrLog(catalog::Run run, catalog::RunState state, std::string reason);
  Status Save(const catalog::Run& run);
  Result<catalog::Run> Find(const std::string& id) const;
  void Release(const Uuid& run);

  Desk& desk_;
  Inspections& inspections_;
  const std::string version_;
  Fd folder_;
  std::map<PeerId, Worker> workers_;
  ActiveRuns active_;
  bool pumping_ = false;
};

}  // namespace glasscase::operations
