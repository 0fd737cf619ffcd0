#include "run_desk.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include <glasscase/core/log.h>

namespace glasscase::operations {
namespace {

using catalog::Run;
using catalog::RunState;

constexpr size_t kReasonBytesMax = 2'000;
constexpr size_t kRecordBytesMax = size_t{1} << 20;
constexpr uint64_t kLogBytesMax = uint64_t{32} << 20;  // the worker bounds it first
constexpr size_t kLogPieceMax = 256 * 1024;
constexpr size_t kResultFilesMax = 128;

constexpr uint32_t kLookAhead = 64;  // of the queue, for a run that a free worker takes

std::string RegistryOf(const std::string& image) { return image.substr(0, image.find('/')); }

bool TakesImage(const rpc::WorkerHello& worker, const std::string& image) {
  return std::ranges::find(worker.registries(), RegistryOf(image)) != worker.registries().end();
}

std::string LogName(const Uuid& run) { return run.ToString() + ".log"; }

// Words of a worker, which has read what strangers printed.
std::string Words(const std::string& text) {
  return IsUtf8(text) && text.size() <= kReasonBytesMax ? text : Printable(text, kReasonBytesMax);
}

Status Append(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Fail(Error::FromErrno(errno, "cannot write what a run prints"));
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return Ok();
}

}  // namespace

RunDesk::RunDesk(Desk& desk, Fd folder) : desk_(desk), folder_(std::move(folder)) {}

Status RunDesk::TakeUp() {
  std::vector<Run> left;
  GC_TRY_VOID(desk_.catalog.EachRun([&](const Run& run) {
    if (run.state != RunState::kQueued && !HasEnded(run.state)) left.push_back(run);
    return Ok();
  }));
  for (Run& run : left) TryAgain(std::move(run), "the custodian was started again");
  return Ok();
}

// ---- workers ----

Result<Digest> RunDesk::LockOf(const std::string& runner) const {
  std::string known;
  for (const auto& [id, worker] : workers_) {
    for (const rpc::Runner& one : worker.hello.runners()) {
      Digest lock{};
      if (one.name() == runner && one.lock().size() == lock.size()) {
        std::copy(one.lock().begin(), one.lock().end(), lock.begin());
        return lock;
      }
      known += (known.empty() ? "" : ", ") + Printable(one.name(), 64);
    }
  }
  if (workers_.empty())
    return Fail(Error::FailedPrecondition("no worker is there: serve with --workers 1 or more"));
  return Fail(Error::FailedPrecondition("no worker has the runner " + Printable(runner) +
                                        "; there are: " + (known.empty() ? "none" : known)));
}

Status RunDesk::CheckLimits(const training::RunLimits& limits) const {
  for (const auto& [id, worker] : workers_) {
    const rpc::WorkerHello& most = worker.hello;
    if (limits.cpus <= most.cpus() && limits.memory_bytes <= most.memory_bytes() &&
        limits.disk_bytes <= most.disk_bytes() && limits.wall_s <= most.wall_s())
      return Ok();
  }
  return Fail(
      Error::FailedPrecondition("no worker that is there gives as much as the recipe's limits ask for"));
}

Status RunDesk::CheckImage(const std::string& image) const {
  std::string known;
  for (const auto& [id, worker] : workers_) {
    if (TakesImage(worker.hello, image)) return Ok();
    for (const std::string& one : worker.hello.registries())
      known += (known.empty() ? "" : ", ") + Printable(one, 64);
  }
  return Fail(Error::FailedPrecondition(
      known.empty() ? "recipe.environment.image: no worker that is there runs images; serve with --registries"
                    : "recipe.environment.image: no worker takes images from " + RegistryOf(image) +
                          "; there are: " + known));
}

bool RunDesk::AnyIsFree() const {
  return std::ranges::any_of(workers_,
                             [](const auto& one) { return one.second.running < one.second.hello.slots(); });
}

std::optional<PeerId> RunDesk::FreeWorkerFor(const Run& run) const {
  const auto recipe = training::Recipe::Parse(run.recipe);
  for (const auto& [id, worker] : workers_) {
    if (worker.running >= worker.hello.slots()) continue;
    // One that cannot be read goes to anybody, who says so.
    if (!recipe || recipe->environment.image.empty() || TakesImage(worker.hello, recipe->environment.image))
      return id;
  }
  return std::nullopt;
}

Result<std::optional<RunDesk::Next>> RunDesk::FindNext() const {
  if (!AnyIsFree()) return std::nullopt;
  // Nearly always it is the first; others overtake it only where no free worker takes it.
  for (const uint32_t count : {1U, kLookAhead}) {
    GC_TRY(auto runs, desk_.catalog.QueuedRuns(count));
    for (Run& run : runs)
      if (const auto worker = FreeWorkerFor(run)) return Next{.run = std::move(run), .worker = *worker};
    if (runs.size() < count) break;
  }
  return std::nullopt;
}

void RunDesk::OnWorkerGone(const PeerId& worker) {
  if (workers_.erase(worker) == 0) return;
  std::vector<Uuid> lost;
  for (const auto& [id, active] : active_)
    if (active.worker == worker && !active.records) lost.push_back(id);
  for (const Uuid& id : lost) {
    active_.erase(id);
    auto run = desk_.catalog.FindRun(id);
    if (run && *run) TryAgain(**std::move(run), "its worker ended");
  }
  Pump();
}

// ---- out ----

void RunDesk::Pump() {
  if (pumping_ || (desk_.holds_seat && !desk_.holds_seat())) return;
  pumping_ = true;
  while (auto next = FindNext()) {
    if (!*next) break;
    Run run = std::move((*next)->run);
    const Status begun = Begin(run, (*next)->worker);
    if (begun) continue;
    Release(run.id);
    const Status ended = EndRun(std::move(run), RunState::kFailed, begun.error().message());
    if (ended) continue;
    LogError("runs: " + ended.error().message());
    break;  // it is still the next one: whoever looks again finds it
  }
  pumping_ = false;
}

Status RunDesk::Begin(Run run, const PeerId& worker) {
  run.state = RunState::kPreparing;
  run.worker = Printable(workers_[worker].hello.name(), 64);
  run.started_micros = desk_.now();
  run.reason.clear();
  ++run.attempts;
  GC_TRY_VOID(Save(run));
  Fd log(::openat(folder_.get(), LogName(run.id).c_str(),
                  O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!log.valid()) return Fail(Error::FromErrno(errno, "cannot make the file for what the run prints"));
  active_[run.id] = {.worker = worker, .progress = {}, .log = std::move(log), .files = {}};
  ++workers_[worker].running;
  return SendInputs(run, worker);
}

Status RunDesk::SendInputs(const Run& run, const PeerId& worker) {
  GC_TRY(const auto recipe, training::Recipe::Parse(run.recipe));
  std::vector<std::pair<std::string, Uuid>> folders = {{"code/", recipe.code.version}};
  for (const auto& [name, dataset] : recipe.data)
    folders.emplace_back("data/" + name + "/", dataset.version.version);
  const std::string id(run.id.AsBytes());
  for (const auto& [folder, version] : folders) {
    rpc::FromCustodian message;
    std::vector<Fd> fds;
    message.mutable_job_inputs()->set_run(id);
    GC_TRY(const auto files, desk_.catalog.FilesOf(version));
    if (files.empty())
      return Fail(Error::NotFound("an input of the run is not there any more: " + version.ToString()));
    for (const catalog::VersionFile& file : files) {
      rpc::JobFile& row = *message.mutable_job_inputs()->add_files();
      row.set_path(folder + file.path);
      row.set_bytes(file.bytes);
      row.set_sha256(std::string(AsText(file.sha256)));
      GC_TRY(fds.emplace_back(), desk_.blobs.Open(file.sha256));
    }
    desk_.links.Send(worker, message, std::move(fds));
  }
  rpc::FromCustodian start;
  start.mutable_run_job()->set_run(id);
  start.mutable_run_job()->set_recipe(run.recipe);
  desk_.links.Send(worker, start);
  return Ok();
}

Status RunDesk::Cancel(const Run& run) {
  const auto active = active_.find(run.id);
  if (active == active_.end()) return EndRun(run, RunState::kCancelled, "it was cancelled before it began");
  if (active->second.records)
    return Fail(Error::FailedPrecondition("the run is done: its result is being recorded"));
  rpc::FromCustodian message;
  message.mutable_cancel_job()->set_run(std::string(run.id.AsBytes()));
  desk_.links.Send(active->second.worker, message);
  return Ok();
}

// ---- in ----

Result<Run> RunDesk::Find(const std::string& id) const {
  GC_TRY(const Uuid run, Uuid::FromBytes(id));
  GC_TRY(auto found, desk_.catalog.FindRun(run));
  if (!found) return Fail(Error::NotFound("no such run"));
  return *std::move(found);
}

void RunDesk::OnMessage(const PeerId& worker, rpc::ToCustodian message, std::vector<Fd> fds) {
  using Kind = rpc::ToCustodian::MessageCase;
  const auto mine = [&](const std::string& id) -> Active* {
    const auto run = Uuid::FromBytes(id);
    const auto found = run ? active_.find(*run) : active_.end();
    return found == active_.end() || found->second.worker != worker || found->second.records ? nullptr
                                                                                             : &found->second;
  };
  switch (message.message_case()) {
    case Kind::kWorkerHello: workers_[worker].hello = message.worker_hello(); return Pump();
    case Kind::kJobRuns: {
      auto run = Find(message.job_runs().run());
      if (!run || mine(message.job_runs().run()) == nullptr) return;
      run->state = RunState::kRunning;
      const Status saved = Save(*run);
      if (!saved) LogWarning("runs: " + saved.error().message());
      return;
    }
    case Kind::kJobLog: {
      Active* const active = mine(message.job_log().run());
      struct stat facts {};
      if (active == nullptr || ::fstat(active->log.get(), &facts) != 0) return;
      if (static_cast<uint64_t>(facts.st_size) + message.job_log().text().size() > kLogBytesMax) return;
      const Status written = Append(active->log.get(), message.job_log().text());
      if (!written) LogWarning("runs: " + written.error().message());
      return;
    }
    case Kind::kJobProgress:
      if (Active* const active = mine(message.job_progress().run()))
        active->progress = {.fraction = std::clamp(message.job_progress().fraction(), 0.0, 1.0),
                            .text = Printable(message.job_progress().text(), 200)};
      return;
    case Kind::kJobResults: {
      Active* const active = mine(message.job_results().run());
      if (active == nullptr || fds.size() != static_cast<size_t>(message.job_results().files_size())) return;
      for (size_t i = 0; i < fds.size() && active->files.size() < kResultFilesMax; ++i)
        active->files.push_back({.path = message.job_results().files(static_cast<int>(i)).path(),
                                 .file = std::make_shared<Fd>(std::move(fds[i]))});
      return;
    }
    case Kind::kJobEnded:
      if (mine(message.job_ended().run()) != nullptr) OnEnded(worker, message.job_ended());
      return;
    default: LogWarning("the worker sent a message that it must not send");
  }
}

void RunDesk::OnEnded(const PeerId& worker, const rpc::JobEnded& end) {
  auto found = Find(end.run());
  if (!found) return LogError("runs: " + found.error().message());
  Run run = *std::move(found);
  if (end.record().size() <= kRecordBytesMax && IsUtf8(end.record())) run.record = end.record();
  Active& active = active_[run.id];
  if (workers_[worker].running > 0) --workers_[worker].running;
  active.worker = {};
  switch (end.ending()) {
    case rpc::JobEnded::SUCCEEDED: Record(std::move(run), active); break;
    case rpc::JobEnded::CANCELLED:
      active_.erase(run.id);
      EndRunOrLog(std::move(run), RunState::kCancelled, Words(end.reason()));
      break;
    case rpc::JobEnded::FAILED:
      active_.erase(run.id);
      EndRunOrLog(std::move(run), RunState::kFailed, Words(end.reason()));
      break;
    default: active_.erase(run.id); TryAgain(std::move(run), Words(end.reason()));
  }
  Pump();
}

// Bytes first, then the rows: what a crash leaves between the two belongs to no version, and the run begins
// once more. A result may be large: it is copied on a thread whatever the store is.
void RunDesk::Record(Run run, Active& active) {
  active.records = true;
  run.state = RunState::kRecording;
  const Status saved = Save(run);
  if (!saved) LogWarning("runs: " + saved.error().message());
  const auto files = std::make_shared<std::vector<RunFile>>(std::move(active.files));
  const auto staged = std::make_shared<Status>();
  active.staging = std::make_unique<SideJob>(
      desk_.loop, [&store = desk_.blobs, files, staged] { *staged = StageFiles(store, *files); },
      [this, run = std::move(run), files, staged] { Staged(run, files, *staged); });
}

void RunDesk::Staged(Run run, const std::shared_ptr<std::vector<RunFile>>& files, const Status& staged) {
  desk_.store_changes.Do({.work = [files, staged]() -> Status {
                            GC_TRY_VOID(staged);
                            return CommitFiles(*files);
                          },
                          .then =
                              [this, run = std::move(run), files](const Status& committed) {
                                const Status recorded = committed ? RecordRows(run, *files) : committed;
                                active_.erase(run.id);
                                if (!recorded)
                                  EndRunOrLog(
                                      run, RunState::kFailed,
                                      "its result could not be recorded: " + recorded.error().message());
                                desk_.ledger.Poke();
                              }});
}

Status RunDesk::RecordRows(Run run, const std::vector<RunFile>& files) {
  return desk_.Change([&](catalog::Transaction& transaction) -> Status {
    GC_TRY(const catalog::Version version, InsertResult(desk_, transaction, run, files));
    run.state = RunState::kSucceeded;
    run.result = version.id;
    run.label = version.label;
    run.ended_micros = desk_.now();
    return transaction.SetRun(run);
  });
}

void RunDesk::TryAgain(Run run, const std::string& why) {
  if (run.attempts >= kAttemptsMax)
    return EndRunOrLog(std::move(run), RunState::kFailed,
                       why + ", " + std::to_string(run.attempts) + " times");
  run.state = RunState::kQueued;
  run.reason = why;
  const Status saved = Save(run);
  if (!saved) LogError("runs: " + saved.error().message());
}

Status RunDesk::EndRun(Run run, RunState state, std::string reason) {
  run.state = state;
  run.reason = std::move(reason);
  run.ended_micros = desk_.now();
  run.result = Uuid{};
  return Save(run);
}

void RunDesk::EndRunOrLog(Run run, RunState state, std::string reason) {
  const Status ended = EndRun(std::move(run), state, std::move(reason));
  if (!ended) LogError("runs: " + ended.error().message());
}

Status RunDesk::Save(const Run& run) {
  return desk_.Change([&](catalog::Transaction& transaction) { return transaction.SetRun(run); });
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

Result<RunDesk::Printed> RunDesk::ReadLog(const Uuid& run, uint64_t from) const {
  const Fd file(::openat(folder_.get(), LogName(run).c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  Printed printed{.bytes = {}, .next = from};
  if (!file.valid() && errno == ENOENT) return printed;
  if (!file.valid()) return Fail(Error::FromErrno(errno, "cannot open what the run has printed"));
  printed.bytes.resize(kLogPieceMax);
  const ssize_t got =
      ::pread(file.get(), printed.bytes.data(), printed.bytes.size(), static_cast<off_t>(from));
  if (got < 0) return Fail(Error::FromErrno(errno, "cannot read what the run has printed"));
  printed.bytes.resize(static_cast<size_t>(got));
  printed.next += static_cast<uint64_t>(got);
  return printed;
}

}  // namespace glasscase::operations
