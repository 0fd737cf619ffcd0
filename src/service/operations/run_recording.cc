// The desk of runs, second part: from what a worker gave to a version.
#include <glasscase/core/log.h>

#include "routes.h"
#include "run_desk.h"
#include "run_verification.h"
#include "translation_runs.h"

namespace glasscase::operations {

using catalog::Run;
using catalog::RunState;

// Bytes first, then the rows: what a crash leaves between the two belongs to no version, and the run begins
// once more. A result may be large: it is copied on a thread whatever the store is.
void RunDesk::Record(Run run, Active& active) {
  const Status fits = CheckResult(run, active.files);
  if (!fits) return Refuse(run, fits.error().message());
  active.records = true;
  run.state = RunState::kRecording;
  const Status saved = Save(run);
  if (!saved) LogWarning("runs: " + saved.error().message());
  Stage(run, std::make_shared<std::vector<RunFile>>(std::move(active.files)));
}

void RunDesk::Stage(const Run& run, const Files& files) {
  Active& active = active_[run.id];
  ++active.stagings;
  const auto staged = std::make_shared<Status>();
  active.staging = std::make_unique<SideJob>(
      desk_.loop, [&store = desk_.blobs, files, staged] { *staged = StageFiles(store, *files); },
      [this, run, files, staged] {
        if (!*staged) return CannotRecord(run, files, staged->error());
        Inspect(run, files);
      });
}

// What others will call is opened first, in a process of its own, as when it is published.
void RunDesk::Inspect(const Run& run, const Files& files) {
  auto job = InspectionOf(*files);
  if (!job) return Commit(run, files, std::nullopt);
  inspections_.Begin({.job = *std::move(job),
                      .open = [files] { return OpenFiles(*files); },
                      .then =
                          [this, run, files](const Result<rpc::InspectReport>& report) {
                            if (!report)
                              return Refuse(run, "its result cannot be hosted: " + report.error().message());
                            Commit(run, files, *report);
                          }});
}

void RunDesk::Commit(const Run& run, const Files& files, const Report& report) {
  desk_.store_changes.Do({.work = [files] { return CommitFiles(*files); },
                          .then =
                              [this, run, files, report](const Status& committed) {
                                const Status recorded =
                                    committed ? RecordRows(run, *files, report) : committed;
                                if (recorded) return NoteRecorded(run, report.has_value());
                                CannotRecord(run, files, recorded.error());
                              }});
}

Status RunDesk::RecordRows(Run run, const std::vector<RunFile>& files, const Report& report) {
  Status recorded = desk_.Change([&](catalog::Transaction& transaction) -> Status {
    GC_TRY(const catalog::Version version, InsertResult(desk_, transaction, run, files, report));
    run.state = RunState::kSucceeded;
    run.reason.clear();
    run.result = version.id;
    run.label = version.label;
    run.ended_micros = desk_.now();
    GC_TRY_VOID(TranslateAsAsked(transaction, run, version, files));
    return transaction.SetRun(run);
  });
  if (recorded) NoteEvent(run);
  return recorded;
}

// The result stands for itself: where its translation cannot be queued, the run says so.
Status RunDesk::TranslateAsAsked(catalog::Transaction& transaction, Run& run, const catalog::Version& version,
                                 const std::vector<RunFile>& files) {
  if (!run.translates.IsNil() || version.hostable) return Ok();
  GC_TRY(const auto recipe, training::Recipe::Parse(run.recipe));
  if (!recipe.translation.is_wanted) return Ok();
  const Status queued = QueueTranslation(desk_, transaction, run, version, files, version_);
  if (!queued) run.reason = "its translation was not queued: " + queued.error().message();
  return Ok();
}

// It can be called when every process knows of it and its host is there: until then it is being recorded.
void RunDesk::NoteRecorded(const Run& run, bool hosted) {
  resting_.NoteGood(active_[run.id].given_by);
  resting_.NoteGood(kSelf);
  trials_.erase(run.id);
  desk_.ledger.Poke();
  Pump();  // its translation may have been queued
  const auto owner = hosted ? desk_.catalog.FindSubject(run.owner) : std::nullopt;
  if (!owner || !*owner || !(*owner)->host_slot) {
    active_.erase(run.id);
    return;
  }
  TableChange change;
  change.models.push_back(run.asset);
  const auto starting = desk_.NeedHost(*(*owner)->host_slot);
  desk_.pusher.Push(change, [this, id = run.id, starting](double) {
    if (!starting) {
      active_.erase(id);
      return;
    }
    desk_.pusher.AwaitFirstLease(*starting, [this, id] { active_.erase(id); });
  });
}

void RunDesk::EndVerification(Run run) {
  run.state = RunState::kSucceeded;
  run.reason.clear();
  run.ended_micros = desk_.now();
  const Status entered = desk_.Change([&](catalog::Transaction& transaction) -> Status {
    GC_TRY_VOID(EnterVerification(desk_, transaction, run));
    return transaction.SetRun(run);
  });
  if (!entered) return CannotBegin(std::move(run), entered.error());
  NoteEvent(run);
  trials_.erase(run.id);
  desk_.ledger.Poke();
}

// ---- when it cannot be ----

void RunDesk::CannotRecord(Run run, const Files& files, const Error& why) {
  const Active& active = active_[run.id];
  const uint32_t times = active.stagings;
  if (why.code() == kNotAsAnnounced) {
    const PeerId worker = active.given_by;
    active_.erase(run.id);
    WorkerFailed(worker, std::move(run), why.message());
    return Pump();
  }
  const bool is_ours = !IsOfTheRun(why) && why.code() != Code::kAlreadyExists;
  if (is_ours) Rest(kSelf, "the result of a run cannot be recorded: " + why.message());
  if (!is_ours || times == kStagingsMax) {
    Refuse(run, "its result could not be recorded: " + why.message());
    return RemoveLeftOver(*files);
  }
  run.reason = "its result waits: " + why.message();
  const Status said = Save(run);
  if (!said) LogWarning("runs: " + said.error().message());
  desk_.loop.After(Resting::RestMs(times), [this, run, files, alive = std::weak_ptr(alive_)] {
    if (!alive.expired()) Stage(run, files);
  });
}

void RunDesk::Refuse(const Run& run, const std::string& why) {
  active_.erase(run.id);
  EndRunOrKeep(run, RunState::kFailed, why);
}

// Bytes that belong to no version.
void RunDesk::RemoveLeftOver(const std::vector<RunFile>& files) {
  std::vector<Digest> blobs;
  blobs.reserve(files.size());
  for (const RunFile& file : files) blobs.push_back(file.sha256);
  RemoveUnusedBlobs(desk_, blobs, [](const Status& removed) {
    if (!removed) LogWarning("bytes of a failed run stay until the next start: " + removed.error().message());
  });
}

}  // namespace glasscase::operations
