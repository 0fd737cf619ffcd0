// Runs on their way: from the queue to a worker, and from its result to a version.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <glasscase/training/recipe.h>

#include "desk.h"
#include "inspections.h"
#include "resting.h"
#include "run_events.h"
#include "run_inputs.h"
#include "run_log.h"
#include "run_result.h"
#include "run_workers.h"
#include "side_job.h"
#include "store_work.h"

namespace glasscase::operations {

// What a run says of itself while it runs.
struct RunProgress {
  double fraction = 0;
  std::string text;
};

// One thread: the loop's. States are in the catalog before anybody is told of them: what a process was doing
// when it ended begins once more, at most kAttemptsMax times. That is for our own faults alone: what a run
// does wrong ends it. A worker that fails what it is given rests, and so do we when our disk or store fails;
// no run has to pay for it.
class RunDesk {
 public:
  static constexpr PeerId kSelf{process::ProcessKind::kCustodian, 0};
  static constexpr uint32_t kAttemptsMax = 3;
  static constexpr uint32_t kTrialsMax = 50;        // that are not counted, of one run on workers that fail
  static constexpr uint32_t kStagingsMax = 6;       // of one result
  static constexpr uint32_t kSlotsMax = 256;        // of one worker
  static constexpr int64_t kCancelMs = 30'000;      // until a worker on another machine is not waited for
  static constexpr uint32_t kOpenRunsMax = 10'000;  // of one owner

  // `folder` gets what runs print and what became of them, a file for each. `version`: of this program.
  // `per_owner`: runs of one owner that workers have at once; 0: as many as they take.
  RunDesk(Desk& desk, Inspections& inspections, std::string version, Fd folder, uint32_t per_owner);

  // Those that an earlier custodian left under way wait again.
  Status TakeUp();
  // After a commit that queued runs.
  void Pump();
  // The run is its owner's to cancel, and not ended.
  Status Cancel(const catalog::Run& run);
  // Of those that have begun; one that waits is looked at when it begins. After a commit that withdrew a
  // right to take something.
  void CancelThoseWithoutRights();

  void OnMessage(const PeerId& worker, const rpc::ToCustodian& message, process::ForeignFds fds);
  void OnWorkerGone(const PeerId& worker);

  const std::string& version() const { return version_; }
  // Whether a process still works at it, or has not heard of its result yet.
  bool IsActive(const Uuid& run) const { return active_.contains(run); }
  // FailedPrecondition says what a run of that owner waits for though a worker is free.
  Status CheckOwner(const Uuid& owner) const;
  // Those that are there.
  const RunWorkers& workers() const { return workers_; }
  std::optional<RunProgress> ProgressOf(const Uuid& run) const;
  // What is wrong with a worker, or with us; empty when nothing is.
  std::string TroubleOf(const PeerId& who) const;
  const RunLogs& logs() const { return logs_; }
  const RunEvents& events() const { return events_; }

 private:
  struct Active {
    Uuid owner;
    PeerId worker = kSelf;  // until it is done with it
    RunProgress progress;
    Fd log;
    std::vector<RunFile> files;
    bool records = false;
    PeerId given_by{};  // the result
    std::unique_ptr<SideJob> staging{};
    std::vector<Uuid> inputs{};                        // versions
    std::shared_ptr<const Preparation> preparation{};  // until the worker was told to begin
    std::string refused{};                             // what the worker gave that no result can be
    bool runs = false;                                 // its inputs are in place
    uint32_t stagings = 0;
  };
  using ActiveRuns = std::map<Uuid, Active>;

  void Begin(catalog::Run run, const PeerId& worker);
  // `again`: why there is another attempt.
  Status Prepare(const catalog::Run& run, const PeerId& worker, const std::string& again);
  // Ends it where an input is gone; where our disk or store fails, it waits until that is over.
  void CannotBegin(catalog::Run run, const Error& why);
  // Of one that was cancelled: its worker has done with it, and its slot is free; or does not say so, which
  // is not waited for.
  void EndCancelled(const catalog::Run& run, const PeerId& worker, bool by_workers_fault);
  // A run that has ended, or whose worker has, and that the catalog does not show now.
  void CannotRead(const std::string& id, const Error& why);
  Status CancelFor(const catalog::Run& run, const std::string& reason);
  void GiveUpLater(const Uuid& run, const PeerId& worker);
  void OnRuns(Active& active, const std::string& run);
  void OnEnded(const PeerId& worker, const rpc::JobEnded& end);
  void OnResults(Active& active, const rpc::JobResults& results, process::ForeignFds fds) const;
  // Not the run's fault, as far as one can tell: the worker rests, the run begins once more.
  void WorkerFailed(const PeerId& worker, catalog::Run run, const std::string& why);
  // Puts it back into the queue, or ends it where that was done often enough.
  void TryAgain(catalog::Run run, const std::string& why, bool is_trial = false);
  void Rest(const PeerId& who, const std::string& why);
  void WakeWhenRested();
  // What the catalog would not take is written before anything else begins.
  bool WriteUnsaved();
  int64_t now_ms() const;
  Status EndRun(catalog::Run run, catalog::RunState state, std::string reason);
  // Where nobody waits for the answer.
  void EndRunOrKeep(catalog::Run run, catalog::RunState state, std::string reason);
  Status Save(const catalog::Run& run);
  // After the commit of its state.
  void NoteEvent(const catalog::Run& run) const;
  // Where the catalog cannot be written, it is as soon as it can.
  void SaveOrKeep(const catalog::Run& run);
  Result<catalog::Run> Find(const std::string& id) const;
  void Release(const Uuid& run);

  // run_turns.cc
  struct Next {
    catalog::Run run;
    PeerId worker;
  };
  bool IsFree(const PeerId& id, const RunWorker& worker) const;
  std::optional<PeerId> FreeWorkerFor(const catalog::Run& run) const;
  // Nearly always the one whose turn it is; others overtake it only where no free worker may do it.
  Result<std::optional<Next>> FindNext();
  Result<std::optional<Next>> FindBeyond(const catalog::Run& next) const;
  Result<std::optional<Next>> FindAmong(const std::vector<catalog::QueueTurn>& turns) const;

  // run_recording.cc
  using Files = std::shared_ptr<std::vector<RunFile>>;
  using Report = std::optional<rpc::InspectReport>;  // of a result that is to be hosted
  void Record(catalog::Run run, Active& active);
  void Stage(const catalog::Run& run, const Files& files);
  void Inspect(const catalog::Run& run, const Files& files);
  void Commit(const catalog::Run& run, const Files& files, const Report& report);
  Status RecordRows(catalog::Run run, const std::vector<RunFile>& files, const Report& report);
  Status TranslateAsAsked(catalog::Transaction& transaction, catalog::Run& run,
                          const catalog::Version& version, const std::vector<RunFile>& files);
  void NoteRecorded(const catalog::Run& run, bool hosted);
  // A run that was done again: its evidence is what came of it.
  void EndVerification(catalog::Run run);
  // What the worker gave is not what it announced: the run begins once more. Where our disk or store fails,
  // the result waits and is recorded when that is over, kStagingsMax times.
  void CannotRecord(catalog::Run run, const Files& files, const Error& why);
  void Refuse(const catalog::Run& run, const std::string& why);
  void RemoveLeftOver(const std::vector<RunFile>& files);
  // Of what the run names, not of our disk or store.
  static bool IsOfTheRun(const Error& error);

  Desk& desk_;
  Inspections& inspections_;
  const std::string version_;
  const uint32_t per_owner_;
  RunEvents events_;
  RunLogs logs_;
  RunWorkers workers_;
  ActiveRuns active_;
  bool pumping_ = false;
  Uuid last_owner_{};  // whose run began last: the next owner's turn is now
  int64_t look_beyond_at_ms_ = 0;
  Resting resting_;
  std::map<Uuid, uint32_t> trials_;                        // of runs, that are not counted as attempts
  std::set<Uuid> unread_;                                  // that begin again when they can be read
  std::map<Uuid, catalog::Run> unsaved_;                   // states that the catalog does not have yet
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);  // timers look whether this is gone
  process::EventLoop::TimerId wake_ = 0;
  StoreWork store_reads_;  // our own: who takes a file does not wait behind the data of a run
};

}  // namespace glasscase::operations
