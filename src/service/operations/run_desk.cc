#include "run_desk.h"

#include <fcntl.h>

#include <algorithm>

#include <glasscase/core/log.h>
#include <glasscase/json/strict.h>

#include "remote_workers.h"
#include "run_verification.h"

namespace glasscase::operations {
namespace {

using catalog::Run;
using catalog::RunState;

constexpr size_t kReasonBytesMax = 2'000;
constexpr size_t kRecordBytesMax = size_t{1} << 20;

// Words of a worker, which has read what strangers printed.
std::string Words(const std::string& text) {
  return IsUtf8(text) && text.size() <= kReasonBytesMax ? text : Printable(text, kReasonBytesMax);
}

// 0 for what is no number.
double Fraction(double said) { return said >= 0 ? std::min(said, 1.0) : 0; }

// An object of JSON, as far as it is kept.
bool IsObject(const std::string& text) {
  if (text.size() > kRecordBytesMax) return false;
  const auto value = json::Parse(text, {.bytes_max = kRecordBytesMax});
  return value && value->is_object();
}

}  // namespace

RunDesk::RunDesk(Desk& desk, Inspections& inspections, std::string version, Fd folder, uint32_t per_owner)
    : desk_(desk),
      inspections_(inspections),
      version_(std::move(version)),
      per_owner_(per_owner),
      events_(Fd(::fcntl(folder.get(), F_DUPFD_CLOEXEC, 0))),
      logs_(std::move(folder)),
      store_reads_(desk.loop, desk.blobs.MayWait()) {}

Status RunDesk::TakeUp() {
  GC_TRY(std::vector<Run> open, desk_.catalog.ListRuns({.only_open = true, .limit = UINT32_MAX}));
  for (Run& run : open)
    if (run.state != RunState::kQueued) TryAgain(std::move(run), "the custodian was started again");
  return Ok();
}

bool RunDesk::IsOfTheRun(const Error& error) {
  return error.code() == Code::kNotFound || error.code() == Code::kInvalidArgument ||
         error.code() == Code::kFailedPrecondition;
}

// ---- workers ----

void RunDesk::OnWorkerGone(const PeerId& worker) {
  const auto gone = workers_.find(worker);
  if (gone == workers_.end()) return;
  const bool leaves = gone->second.leaves;
  workers_.erase(gone);
  std::vector<Uuid> lost;
  for (const auto& [id, active] : active_)
    if (active.worker == worker && !active.records) lost.push_back(id);
  const std::string why = leaves ? "its worker was stopped" : "its worker ended";
  const bool is_trial = leaves || resting_.IsSuspect(worker);
  // Also where it was stopped: one that is stopped again and again shall not have a run each time.
  if (!lost.empty()) Rest(worker, leaves ? "it was stopped with a run" : "it ended with a run");
  for (const Uuid& id : lost) {
    active_.erase(id);
    auto run = desk_.catalog.FindRun(id);
    if (!run) CannotRead(std::string(id.AsBytes()), run.error());
    if (run && *run) TryAgain(**std::move(run), why, is_trial);
  }
  Pump();
}

void RunDesk::WorkerFailed(const PeerId& worker, Run run, const std::string& why) {
  const bool is_suspect = resting_.IsSuspect(worker);
  Rest(worker, why);
  TryAgain(std::move(run), why, is_suspect);
}

std::string RunDesk::TroubleOf(const PeerId& who) const { return resting_.TextOf(who, now_ms()); }

int64_t RunDesk::now_ms() const { return desk_.clock.MonotonicNanos() / 1'000'000; }

void RunDesk::Rest(const PeerId& who, const std::string& why) {
  resting_.NoteFault(who, now_ms(), why);
  LogWarning("runs: " + std::string(process::ProcessKindName(who.kind)) + " " + TroubleOf(who));
  WakeWhenRested();
}

void RunDesk::WakeWhenRested() {
  desk_.loop.Cancel(wake_);
  const int64_t left = resting_.NextMs(now_ms());
  if (left == 0) return;
  wake_ = desk_.loop.After(left + 1, [this, alive = std::weak_ptr(alive_)] {
    if (alive.expired()) return;
    Pump();
    WakeWhenRested();
  });
}

// ---- out ----

void RunDesk::Pump() {
  if (pumping_ || (desk_.holds_seat && !desk_.holds_seat())) return;
  pumping_ = true;
  while (!resting_.Rests(kSelf, now_ms()) && WriteUnsaved()) {
    auto next = FindNext();
    if (!next) {
      Rest(kSelf, next.error().message());
    } else if (*next) {
      last_owner_ = (*next)->run.owner;
      Begin(std::move((*next)->run), (*next)->worker);
    } else {
      break;
    }
  }
  pumping_ = false;
}

bool RunDesk::WriteUnsaved() {
  while (!unread_.empty()) {
    auto run = desk_.catalog.FindRun(*unread_.begin());
    if (!run) {
      Rest(kSelf, run.error().message());
      return false;
    }
    unread_.erase(unread_.begin());
    if (*run) TryAgain(**std::move(run), "its end could not be read", true);
  }
  while (!unsaved_.empty()) {
    const Status saved = Save(unsaved_.begin()->second);
    if (!saved) {
      Rest(kSelf, saved.error().message());
      return false;
    }
    unsaved_.erase(unsaved_.begin());
    resting_.NoteGood(kSelf);
  }
  return true;
}

void RunDesk::Begin(Run run, const PeerId& worker) {
  run.state = RunState::kPreparing;
  run.worker = Printable(workers_[worker].hello.name(), 64);
  run.started_micros = desk_.now();
  const std::string why = std::exchange(run.reason, "");
  ++run.attempts;
  const Status begun = Prepare(run, worker, why);
  if (!begun) CannotBegin(std::move(run), begun.error());
}

Status RunDesk::Prepare(const Run& run, const PeerId& worker, const std::string& again) {
  GC_TRY(auto folders, InputsOf(desk_, run));
  GC_TRY_VOID(Save(run));
  GC_TRY(Fd log, logs_.Begin(run, again));
  std::vector<Uuid> inputs;
  for (const InputFolder& folder : folders) inputs.push_back(folder.version);
  const auto preparation = std::make_shared<const Preparation>(Preparation{
      .run = run,
      .worker = worker,
      .folders = std::move(folders),
      .failed =
          [this, run](const Error& why) {
            CannotBegin(run, why);
            Pump();
          },
      .sent =
          [this, id = run.id] {
            active_[id].preparation.reset();
            resting_.NoteGood(kSelf);
          },
  });
  active_[run.id] = {.owner = run.owner,
                     .worker = worker,
                     .progress = {},
                     .log = std::move(log),
                     .files = {},
                     .inputs = std::move(inputs),
                     .preparation = preparation};
  ++workers_[worker].running;
  SendInputs(desk_, store_reads_, preparation);
  return Ok();
}

void RunDesk::CannotBegin(Run run, const Error& why) {
  Release(run.id);
  if (IsOfTheRun(why)) return EndRunOrKeep(std::move(run), RunState::kFailed, why.message());
  Rest(kSelf, why.message());
  run.state = RunState::kQueued;
  run.reason = why.message();
  --run.attempts;
  SaveOrKeep(run);
}

void RunDesk::CancelThoseWithoutRights() {
  std::vector<Uuid> ids;
  for (const auto& [id, active] : active_)
    if (!active.records) ids.push_back(id);
  for (const Uuid& id : ids) {
    const auto run = desk_.catalog.FindRun(id);
    if (!run || !*run || HasEnded((*run)->state)) continue;
    const Status may = CheckRights(desk_, (*run)->owner, active_[id].inputs, (*run)->started_micros);
    if (may || may.error().code() != Code::kFailedPrecondition) continue;
    const Status cancelled = CancelFor(**run, may.error().message());
    if (!cancelled) LogWarning("runs: " + cancelled.error().message());
  }
}

Status RunDesk::Cancel(const Run& run) {
  const auto active = active_.find(run.id);
  const bool has_begun = active != active_.end() && !active->second.preparation;
  return CancelFor(run, has_begun ? "it was cancelled" : "it was cancelled before it began");
}

Status RunDesk::CancelFor(const Run& run, const std::string& reason) {
  const auto active = active_.find(run.id);
  if (active == active_.end()) return EndRun(run, RunState::kCancelled, reason);
  if (active->second.records)
    return Fail(Error::FailedPrecondition("the run is done: its result is being recorded"));
  if (active->second.preparation) {
    GC_TRY_VOID(EndRun(run, RunState::kCancelled, reason));
    Release(run.id);
    Pump();
    return Ok();
  }
  // Before its worker hears of it: whatever ends on the way, the run does not begin again.
  GC_TRY_VOID(EndRun(run, RunState::kCancelled, reason));
  rpc::FromCustodian message;
  message.mutable_cancel_job()->set_run(std::string(run.id.AsBytes()));
  const PeerId worker = active->second.worker;
  desk_.links.Send(worker, message);
  if (RemoteWorkers::IsRemote(worker)) GiveUpLater(run.id, worker);
  return Ok();
}

// Those of this machine do what they are told; of another one nobody knows.
void RunDesk::GiveUpLater(const Uuid& run, const PeerId& worker) {
  desk_.loop.After(kCancelMs, [this, run, worker, alive = std::weak_ptr(alive_)] {
    if (alive.expired()) return;
    const auto active = active_.find(run);
    if (active == active_.end() || active->second.worker != worker) return;
    Release(run);
    Pump();
  });
}

// ---- in ----

Result<Run> RunDesk::Find(const std::string& id) const {
  GC_TRY(const Uuid run, Uuid::FromBytes(id));
  GC_TRY(auto found, desk_.catalog.FindRun(run));
  if (!found) return Fail(Error::NotFound("no such run"));
  return *std::move(found);
}

void RunDesk::OnMessage(const PeerId& worker, const rpc::ToCustodian& message, process::ForeignFds fds) {
  using Kind = rpc::ToCustodian::MessageCase;
  const auto mine = [&](const std::string& id) -> Active* {
    const auto run = Uuid::FromBytes(id);
    const auto found = run ? active_.find(*run) : active_.end();
    return found == active_.end() || found->second.worker != worker || found->second.records ? nullptr
                                                                                             : &found->second;
  };
  switch (message.message_case()) {
    case Kind::kWorkerHello: workers_[worker].hello = message.worker_hello(); return Pump();
    case Kind::kWorkerLeaves: workers_[worker].leaves = true; return;
    case Kind::kJobRuns:
      if (Active* const active = mine(message.job_runs().run())) OnRuns(*active, message.job_runs().run());
      return;
    case Kind::kJobLog: {
      Active* const active = mine(message.job_log().run());
      if (active == nullptr) return;
      const Status written = RunLogs::Add(active->log, message.job_log().text());
      if (!written) LogWarning("runs: " + written.error().message());
      return;
    }
    case Kind::kJobProgress:
      if (Active* const active = mine(message.job_progress().run()))
        active->progress = {.fraction = Fraction(message.job_progress().fraction()),
                            .text = Printable(message.job_progress().text(), 200)};
      return;
    case Kind::kJobResults:
      if (Active* const active = mine(message.job_results().run()))
        OnResults(*active, message.job_results(), std::move(fds));
      return;
    case Kind::kJobEnded:
      if (mine(message.job_ended().run()) != nullptr) OnEnded(worker, message.job_ended());
      return;
    default: LogWarning("the worker sent a message that it must not send");
  }
}

// Once: each is a commit.
void RunDesk::OnRuns(Active& active, const std::string& run) {
  auto found = Find(run);
  if (!found || HasEnded(found->state) || active.runs || active.preparation) return;
  active.runs = true;
  found->state = RunState::kRunning;
  const Status saved = Save(*found);
  if (!saved) LogWarning("runs: " + saved.error().message());
}

void RunDesk::OnResults(Active& active, const rpc::JobResults& results, process::ForeignFds fds) const {
  const auto count = static_cast<size_t>(results.files_size());
  if (fds.size() != count) active.refused = "it announced other files than it gave";
  if (active.files.size() + count > kResultFilesMax) active.refused = "it gave too many files";
  if (!active.refused.empty()) return;
  int next = 0;
  for (Fd& fd : fds.Take()) {
    const rpc::JobFile& file = results.files(next++);
    active.files.push_back(
        {.path = file.path(), .file = process::ShareForeign(std::move(fd)), .bytes = file.bytes()});
  }
}

void RunDesk::OnEnded(const PeerId& worker, const rpc::JobEnded& end) {
  if (workers_[worker].running > 0) --workers_[worker].running;
  auto found = Find(end.run());
  if (!found) return CannotRead(end.run(), found.error());
  Run run = *std::move(found);
  if (IsObject(end.record())) run.record = end.record();
  if (HasEnded(run.state)) return EndCancelled(run, worker, end.ending() == rpc::JobEnded::NOT_RUN);
  if (IsObject(end.evidence())) run.evidence = end.evidence();
  Active& active = active_[run.id];
  active.worker = kSelf;
  active.given_by = worker;
  const bool verifies = !run.repeats.IsNil();
  if (!verifies && active.files.empty()) active.refused = "it gave no file";
  if (verifies && !IsVerificationEvidence(end.evidence())) active.refused = "it gave no evidence";
  const bool is_lie = end.ending() == rpc::JobEnded::SUCCEEDED && !active.refused.empty();
  if (end.ending() == rpc::JobEnded::FAILED || end.ending() == rpc::JobEnded::CANCELLED)
    resting_.NoteGood(worker);  // of a success one knows when its result is read
  switch (is_lie ? rpc::JobEnded::UNKNOWN : end.ending()) {
    case rpc::JobEnded::SUCCEEDED:
      if (!verifies) {
        Record(std::move(run), active);
        break;
      }
      resting_.NoteGood(worker);
      active_.erase(run.id);
      EndVerification(std::move(run));
      break;
    case rpc::JobEnded::CANCELLED:
      active_.erase(run.id);
      EndRunOrKeep(std::move(run), RunState::kCancelled, Words(end.reason()));
      break;
    case rpc::JobEnded::FAILED:
      active_.erase(run.id);
      EndRunOrKeep(std::move(run), RunState::kFailed, Words(end.reason()));
      break;
    default: {
      const std::string why = is_lie ? "its worker gave no result: " + active.refused : Words(end.reason());
      active_.erase(run.id);
      WorkerFailed(worker, std::move(run), why);
    }
  }
  Pump();
}

// Its state is in the catalog; what it used until then is worth knowing.
void RunDesk::EndCancelled(const Run& run, const PeerId& worker, bool by_workers_fault) {
  active_.erase(run.id);
  if (!by_workers_fault) resting_.NoteGood(worker);
  SaveOrKeep(run);
  Pump();
}

void RunDesk::CannotRead(const std::string& id, const Error& why) {
  const auto run = Uuid::FromBytes(id);
  if (!run) return;
  active_.erase(*run);
  unread_.insert(*run);
  Rest(kSelf, why.message());
}

void RunDesk::TryAgain(Run run, const std::string& why, bool is_trial) {
  if (HasEnded(run.state)) return;  // it was cancelled
  if (is_trial && ++trials_[run.id] <= kTrialsMax) --run.attempts;
  if (run.attempts >= kAttemptsMax) {
    std::string reason = why + ", " + std::to_string(run.attempts) + " times";
    return EndRunOrKeep(std::move(run), RunState::kFailed, std::move(reason));
  }
  run.state = RunState::kQueued;
  run.reason = why;
  SaveOrKeep(run);
}

Status RunDesk::EndRun(Run run, RunState state, std::string reason) {
  run.state = state;
  run.reason = std::move(reason);
  run.ended_micros = desk_.now();
  run.result = Uuid{};
  GC_TRY_VOID(Save(run));
  trials_.erase(run.id);
  unsaved_.erase(run.id);
  return Ok();
}

void RunDesk::EndRunOrKeep(Run run, RunState state, std::string reason) {
  run.state = state;
  run.reason = std::move(reason);
  run.ended_micros = desk_.now();
  run.result = Uuid{};
  trials_.erase(run.id);
  SaveOrKeep(run);
}

void RunDesk::SaveOrKeep(const Run& run) {
  const Status saved = Save(run);
  if (saved) return;
  unsaved_[run.id] = run;
  Rest(kSelf, saved.error().message());
}

Status RunDesk::Save(const Run& run) {
  GC_TRY_VOID(desk_.Change([&](catalog::Transaction& transaction) { return transaction.SetRun(run); }));
  NoteEvent(run);
  return Ok();
}

void RunDesk::NoteEvent(const Run& run) const {
  const Status noted = events_.Add(run, desk_.now());
  if (!noted) LogWarning("runs: " + noted.error().message());
}

void RunDesk::Release(const Uuid& run) {
  const auto active = active_.find(run);
  if (active == active_.end()) return;
  const auto worker = workers_.find(active->second.worker);
  if (worker != workers_.end() && worker->second.running > 0) --worker->second.running;
  rpc::FromCustodian message;
  message.mutable_cancel_job()->set_run(std::string(run.AsBytes()));
  desk_.links.Send(active->second.worker, message);
  active_.erase(active);
}

// ---- what is asked ----

std::optional<RunProgress> RunDesk::ProgressOf(const Uuid& run) const {
  const auto found = active_.find(run);
  if (found == active_.end()) return std::nullopt;
  return found->second.progress;
}

}  // namespace glasscase::operations
