#include <glasscase/operations/operations.h>

#include <algorithm>
#include <utility>

#include <glasscase/core/log.h>
#include <glasscase/operations/key_entries.h>

#include "admission.h"
#include "operations_core.h"

namespace glasscase::operations {
namespace {

constexpr int64_t kAuditFlushMs = 100;
constexpr int64_t kEverySecondMs = 1'000;
constexpr int64_t kTokenUsesMs = 10'000;
constexpr int64_t kIdleUploadsMs = 1'000;
constexpr std::ptrdiff_t kSweptAtOnce = 64;  // blobs that the catalog is asked about, without a pause
constexpr int64_t kLostWorkerMs = 250;
constexpr size_t kAnswerBytesMax = (size_t{1} << 20) - 1024;  // a frame of the edge

bool IsEdge(process::ProcessKind kind) {
  return kind == process::ProcessKind::kPublicEdge || kind == process::ProcessKind::kControlEdge;
}

bool IsRefusal(const Act& act) { return act.reason >= access::Reason::kNoToken; }

void NoteSweep(const Status& swept) {
  if (!swept) LogWarning("bytes that no version uses stay until the next start: " + swept.error().message());
}

// Blobs that a crash left between their commit and that of the version. The store may be away or slow, and
// has many of them: nobody waits for it, and acts come in between.
void SweepUnusedBlobs(Desk& desk) {
  const auto stored = std::make_shared<std::vector<Digest>>();
  const auto list = [&store = desk.blobs, stored]() -> Status {
    GC_TRY(const auto blobs, store.List());
    for (const blobs::BlobInfo& blob : blobs) stored->push_back(blob.sha256);
    return Ok();
  };
  const auto remove = [&desk, stored](const Status& listed) {
    if (!listed) return NoteSweep(listed);
    for (auto begin = stored->begin(); begin != stored->end();) {
      const auto end = begin + std::min<std::ptrdiff_t>(kSweptAtOnce, stored->end() - begin);
      RemoveUnusedBlobs(desk, {begin, end}, NoteSweep);
      begin = end;
    }
  };
  desk.store_changes.Do({.work = list, .then = remove});
}

}  // namespace

Operations::Core::Core(const Parts& parts, Settings settings, std::unique_ptr<AuditLog> audit_log,
                       std::string installation)
    : settings_(std::move(settings)),
      installation_(std::move(installation)),
      started_micros_(parts.clock.WallMicros()),
      audit_(std::move(audit_log)),
      links_(parts.loop),
      pusher_(parts.loop, parts.clock, parts.catalog, links_, parts.supervisor),
      desk_(parts, *audit_, links_, pusher_),
      uploads_(desk_, settings_.uploads_idle_ms),
      inspections_(desk_),
      publishing_(desk_, uploads_, inspections_),
      runs_(desk_, inspections_, settings_.version, std::move(settings_.runs_directory),
            settings_.runs_per_owner),
      remote_workers_(desk_, parts.gate_key),
      faults_(desk_),
      place_{desk_,
             uploads_,
             publishing_,
             runs_,
             remote_workers_,
             [this](const PeerId& peer) { PeerGone(peer); },
             [this] { return DescribeStatus(); },
             [this] { return DescribeChain(); }} {
  pusher_.LeaseWhile(parts.holds_seat);
  desk_.ledger.PublishWhile(parts.holds_seat);
  links_.SetListener({[this](const LinkId& from, rpc::ToCustodian message, process::ForeignFds fds) {
                        OnMessage(from, std::move(message), std::move(fds));
                      },
                      [this](const LinkId& link) { OnLost(link); }});
  timers_ = {parts.loop.Every(kAuditFlushMs, [this] { FlushAudit(); }),
             parts.loop.Every(kEverySecondMs, [this] { EverySecond(); }),
             parts.loop.Every(kTokenUsesMs, [this] { desk_.WriteTokenUses(); }),
             parts.loop.Every(kIdleUploadsMs, [this] { uploads_.DropIdle(); })};
}

Operations::Core::~Core() {
  for (const auto timer : timers_) desk_.loop.Cancel(timer);
  // What they work with belongs to members that go first.
  desk_.store_changes.Stop();
  desk_.store_reads.Stop();
}

void Operations::Core::SweepBlobs() { SweepUnusedBlobs(desk_); }

// ---- links ----

// The first owner's host runs from the start, so that its first publish finds it warm.
Status Operations::Core::AskForHosts() {
  return desk_.catalog.EachSubject([&](const catalog::Subject& subject) -> Status {
    if (!subject.host_slot) return Ok();
    bool has_models = *subject.host_slot == 0;
    GC_TRY_VOID(desk_.catalog.EachModel(subject.id, [&](const catalog::Model&) {
      has_models = true;
      return Ok();
    }));
    if (has_models) desk_.NeedHost(*subject.host_slot);
    return Ok();
  });
}

void Operations::Core::Link(const PeerId& peer, Fd socket) {
  PeerGone(peer);
  current_[peer] = links_.Add(peer, std::move(socket));
  if (peer.kind == process::ProcessKind::kInspector) {
    inspections_.OnLinked(peer.slot);
  } else if (peer.kind == process::ProcessKind::kGate) {
    remote_workers_.TellGate();
  } else if (peer.kind != process::ProcessKind::kWorker) {
    pusher_.Welcome(peer);
  }
}

void Operations::Core::PeerGone(const PeerId& peer) {
  const auto found = current_.find(peer);
  if (found == current_.end()) return;
  const LinkId link = found->second;
  current_.erase(found);
  links_.Remove(peer);
  EndOf(link);
  pusher_.Gone(peer);
}

void Operations::Core::OnLost(const LinkId& link) {
  EndOf(link);
  pusher_.Lost(link.peer);
  if (link.peer.kind == process::ProcessKind::kWorker) EndLostWorker(link);
}

// Usually it is dead, and the supervisor is about to say so. One that was cut off for what it sent would wait
// for a new link for ever.
void Operations::Core::EndLostWorker(const LinkId& link) {
  if (RemoteWorkers::IsRemote(link.peer)) return;  // it connects again by itself
  desk_.loop.After(kLostWorkerMs, [this, link, alive = std::weak_ptr(alive_)] {
    if (alive.expired()) return;
    const auto found = current_.find(link.peer);
    if (found != current_.end() && found->second == link) desk_.supervisor.Kill(link.peer);
  });
}

void Operations::Core::EndOf(const LinkId& link) {
  publishing_.DropOf(link);
  faults_.Forget(link);
  if (link.peer.kind == process::ProcessKind::kInspector) inspections_.OnGone(link.peer.slot);
  if (link.peer.kind != process::ProcessKind::kWorker) return;
  remote_workers_.NoteGone(link.peer);
  runs_.OnWorkerGone(link.peer);
}

// ---- messages ----

void Operations::Core::OnMessage(const LinkId& from, rpc::ToCustodian message, process::ForeignFds fds) {
  const process::ProcessKind kind = from.peer.kind;
  const bool host = kind == process::ProcessKind::kHost;
  using Kind = rpc::ToCustodian::MessageCase;
  switch (message.message_case()) {
    case Kind::kRequest:
      if (IsEdge(kind)) return OnRequest(from, std::move(*message.mutable_request()));
      break;
    case Kind::kAck:
      if (IsEdge(kind) || host) return pusher_.Acknowledge(from.peer, message.ack().sequence());
      break;
    case Kind::kHello:
      if (auto* profile = links_.ProfileOf(from.peer)) profile->hello = std::move(*message.mutable_hello());
      return;
    case Kind::kAudit:
      if (IsEdge(kind) || host)
        return TakeAuditRecords(desk_, from.peer, message.audit().records(), settings_.route_name);
      break;
    case Kind::kNeedModel:
      if (host) return ServeModel(desk_, from, message.need_model());
      break;
    case Kind::kModelFault:
      if (host) return OnFault(from, message.model_fault());
      break;
    case Kind::kHostNote:
      if (auto* profile = links_.ProfileOf(from.peer))
        profile->note = Printable(message.host_note().text(), 500);
      return;
    case Kind::kInspectReport:
      if (kind == process::ProcessKind::kInspector)
        return inspections_.OnReport(from.peer.slot, message.inspect_report());
      break;
    case Kind::kWorkerCame:
      if (kind == process::ProcessKind::kGate) return OnWorkerCame(message.worker_came(), std::move(fds));
      break;
    default:
      if (kind != process::ProcessKind::kWorker) break;
      if (message.has_worker_hello()) remote_workers_.Restrain(from.peer, *message.mutable_worker_hello());
      return runs_.OnMessage(from.peer, message, std::move(fds));
  }
  LogWarning("the " + std::string(process::ProcessKindName(kind)) + " sent a message that it must not send");
}

void Operations::Core::OnRequest(const LinkId& from, rpc::Request request) {
  const Route* route = FindRoute(request.op_case());
  auto act = std::make_shared<Act>();
  act->from = from;
  act->request = std::move(request);
  if (route == nullptr)
    return AnswerError(*act, Error::Unimplemented("this custodian does not know the request"));
  act->route = static_cast<uint16_t>(route->op);
  act->audited = route->audited;
  const Status admitted = Admit(desk_, *act, *route, settings_.closed_log);
  if (!admitted) {
    desk_.NoteRefusal(*act);
    return AnswerError(*act, admitted.error());
  }
  if (act->token) desk_.NoteTokenUse(act->token->id, desk_.now());
  if (route->begin != nullptr) return route->begin(place_, act, ReplyTo(act));

  const uint64_t changes_before = desk_.changes();
  Result<Outcome> outcome = route->run(place_, *act);
  // What was committed is told even when the answer could not be put together.
  if (!outcome && desk_.changes() != changes_before) pusher_.TellEverythingAgain();
  ReplyTo(act)(std::move(outcome));
}

void Operations::Core::OnFault(const LinkId& from, const rpc::ModelFault& fault) {
  const auto change = faults_.Note(from, fault);
  if (!change) return LogWarning("a fault of a model cannot be noted: " + change.error().message());
  if (!change->empty()) pusher_.Push(*change, [](double) {});
}

void Operations::Core::OnWorkerCame(const rpc::WorkerCame& came, process::ForeignFds fds) {
  const auto peer = fds.size() == 1 ? remote_workers_.Admit(came)
                                    : Fail(Error::InvalidArgument("a worker came without a link"));
  if (!peer) return LogWarning(peer.error().message());
  Link(*peer, std::move(fds.Take().front()));  // in place of an earlier one of the same worker
  remote_workers_.NoteConnected(*peer, came.address());
}

// ---- answers ----

Reply Operations::Core::ReplyTo(const std::shared_ptr<Act>& act) {
  return [this, act](Result<Outcome> outcome) {
    if (outcome) return Deliver(act, std::move(*outcome));
    if (IsRefusal(*act)) desk_.NoteRefusal(*act);
    AnswerError(*act, outcome.error());
  };
}

void Operations::Core::Deliver(const std::shared_ptr<Act>& act, Outcome outcome) {
  GC_CHECK(act->permitted);
  const auto answer = [this, act](Outcome done, double acknowledged_ms) {
    // Paused since the commit, another one may have been given the seat, and tells other processes.
    const Status seated = done.change.empty() ? Ok() : desk_.CheckSeat();
    if (!seated) return AnswerError(*act, seated.error());
    if (done.answer.has_revoked()) done.answer.mutable_revoked()->set_acknowledged_ms(acknowledged_ms);
    if (!done.finish) return Complete(*act, std::move(done));
    const auto finish = std::move(done.finish);
    finish([this, act, done = std::move(done)](const Status& finished) {
      if (!finished) return AnswerError(*act, finished.error());
      Complete(*act, done);
    });
  };
  if (outcome.change.empty()) return answer(std::move(outcome), 0);
  const TableChange change = outcome.change;
  pusher_.Push(change, [this, answer, outcome = std::move(outcome)](double ms) {
    if (!outcome.starting) return answer(outcome, ms);
    pusher_.AwaitFirstLease(*outcome.starting, [answer, outcome, ms] { answer(outcome, ms); });
  });
}

void Operations::Core::Complete(const Act& act, Outcome done) {
  std::vector<Fd> descriptors;
  if (done.descriptor) descriptors.push_back(std::move(*done.descriptor));
  SendAnswer(act, std::move(done.answer), std::move(descriptors));
  if (done.afterwards) done.afterwards();
}

void Operations::Core::AnswerError(const Act& act, const Error& error) {
  rpc::Response answer;
  answer.set_code(static_cast<uint32_t>(error.code()));
  answer.set_message(error.message());
  // What is wrong inside is for the log, not for callers.
  if (error.code() == Code::kInternal || error.code() == Code::kDataLoss) {
    LogError(std::string(RouteName(act.route)) + ": " + error.message());
    answer.set_message("the custodian could not do this; its log says why");
  }
  SendAnswer(act, std::move(answer));
}

void Operations::Core::SendAnswer(const Act& act, rpc::Response answer, std::vector<Fd> descriptors) {
  if (!links_.IsCurrent(act.from)) return;  // nobody waits for it any more
  if (answer.ByteSizeLong() > kAnswerBytesMax)
    return AnswerError(
        act, Error::ResourceExhausted("the answer is too long; ask for less, for example for one name"));
  rpc::FromCustodian message;
  answer.set_id(act.request.id());
  *message.mutable_response() = std::move(answer);
  links_.Send(act.from.peer, message, std::move(descriptors));
}

// ---- now and then ----

void Operations::Core::FlushAudit() {
  const Status flushed = audit_->Flush();
  if (!flushed && !audit_failing_) LogError(flushed.error().message());
  audit_failing_ = !flushed;
}

void Operations::Core::EverySecond() {
  audit_->Sync();
  const auto changed = desk_.catalog.ChangedElsewhere();
  if (!changed || !*changed) return;
  pusher_.TellEverythingAgain();
  desk_.ledger.Poke();
}

void Operations::Core::Flush() {
  desk_.ledger.Finish();
  desk_.WriteTokenUses();
  FlushAudit();
  audit_->Sync();
}

Status Operations::Core::StartLedger(const Parts& parts) {
  if (settings_.witnesses && !settings_.witnesses->witnesses().empty())
    witnesses_ = std::make_unique<WitnessDesk>(desk_.loop, desk_.clock, desk_.ledger, *settings_.witnesses,
                                               parts.ask_witness);
  if (parts.anchor != nullptr)
    chain_ = std::make_unique<ChainDesk>(desk_.loop, desk_.clock, desk_.catalog, desk_.ledger, *parts.anchor,
                                         settings_.anchor_every_s);
  const Bytes signing_key = desk_.signing_key.public_key().Der();
  GC_TRY_VOID(
      NoteKey(desk_.catalog, {.use = "signing", .key = ToBase64(signing_key)}, desk_.clock.WallMicros()));
  return desk_.ledger.Start();
}

// ---- the public face ----

Operations::Operations(std::unique_ptr<Core> core) : core_(std::move(core)) {}
Operations::~Operations() = default;

Result<std::unique_ptr<Operations>> Operations::Start(const Parts& parts, Settings settings) {
  GC_TRY(const auto installation, parts.catalog.Setting(catalog::kInstallationSetting));
  if (!installation)
    return Fail(Error::FailedPrecondition("the data directory holds no installation; run `glasscase init`"));
  GC_TRY(auto audit, AuditLog::Open(std::move(settings.audit_directory), parts.clock));
  auto core = std::make_unique<Core>(parts, std::move(settings), std::move(audit), *installation);
  core->SweepBlobs();
  GC_TRY_VOID(core->AskForHosts());
  GC_TRY_VOID(core->StartLedger(parts));
  GC_TRY_VOID(core->TakeUpUploads());
  GC_TRY_VOID(core->LoadWorkers());
  GC_TRY_VOID(core->TakeUpRuns());
  return std::unique_ptr<Operations>(new Operations(std::move(core)));
}

void Operations::Link(const PeerId& peer, Fd socket) { core_->Link(peer, std::move(socket)); }
void Operations::PeerGone(const PeerId& peer) { core_->PeerGone(peer); }
void Operations::Flush() { core_->Flush(); }

}  // namespace glasscase::operations
