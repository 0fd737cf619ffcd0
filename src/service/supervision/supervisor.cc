#include <glasscase/supervision/supervisor.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <utility>

#include <glasscase/core/log.h>

#include "launch.h"
#include "serve_lock.h"
#include "supervisor_state.h"

namespace glasscase::supervision {
namespace {

constexpr uint32_t kHostsMax = 1024;  // what a taken-over custodian can make us start
constexpr size_t kInspectorsMax = 8;  // likewise
constexpr int64_t kInspectorMillis = 120'000;
constexpr int64_t kTlsCheckMillis = 1000;
constexpr int64_t kStageMillis = 2000;    // each kind of process has this long to end
constexpr uint32_t kFinishMillis = 1500;  // of which it may use this long for what is under way
constexpr int64_t kDyingMillis = 500;     // between the end of a lifeline and the end of the process
constexpr int kDeathsAtStartMax = 3;
constexpr int kMessagesPerRound = 64;

int64_t NowMillis() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1'000'000;
}

bool NeededByAll(const ChildId& id) {
  return id == kCustodian || id == kPublicEdge || id == kControlEdge || id == kRelay;
}

}  // namespace

// ---- the start of everything ----

Result<std::unique_ptr<Supervisor>> Supervisor::Start(SupervisorOptions options) {
  auto state = std::make_unique<State>(std::move(options));
  GC_TRY_VOID(state->Prepare());
  return std::unique_ptr<Supervisor>(new Supervisor(std::move(state)));
}

Supervisor::Supervisor(std::unique_ptr<State> state) : state_(std::move(state)) {}
Supervisor::~Supervisor() = default;
Status Supervisor::Run() { return state_->Run(); }

Status Supervisor::State::CheckOptions() const {
  if (options_.tls_certificate.empty() != options_.tls_key.empty()) {
    return Fail(Error::InvalidArgument("a TLS certificate needs its key, and a key its certificate"));
  }
  for (const Kind kind : {Kind::kCustodian, Kind::kPublicEdge, Kind::kHost, Kind::kInspector, Kind::kRelay}) {
    if (access(ProgramOf(kind).c_str(), X_OK) != 0) return Fail(Error::FromErrno(errno, ProgramOf(kind)));
  }
  if (options_.workers > 0 && access(ProgramOf(Kind::kWorker).c_str(), X_OK) != 0)
    return Fail(Error::FromErrno(errno, ProgramOf(Kind::kWorker)));
  if (HasGate() && access(ProgramOf(Kind::kGate).c_str(), X_OK) != 0)
    return Fail(Error::FromErrno(errno, ProgramOf(Kind::kGate)));
  return Ok();
}

Status Supervisor::State::Prepare() {
  GC_TRY_VOID(CheckOptions());
  outlets_.resize(options_.servers.size());
  data_directory_ = Fd(open(options_.data_directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!data_directory_.valid()) return Fail(Error::FromErrno(errno, "open " + options_.data_directory));
  GC_TRY(lock_, TakeServeLock(data_directory_.get()));
  GC_TRY(http_, ListeningSocket::Open(options_.http));
  GC_TRY(control_, ListeningSocket::Open(options_.control));
  if (HasGate()) {
    GC_TRY(for_workers_, ListeningSocket::Open(options_.worker_listen));
  }
  if (!options_.tls_certificate.empty()) {
    GC_TRY(tls_, TlsFiles::Open(options_.tls_certificate, options_.tls_key));
  }
  const bool reachable = !http_->loopback() || !control_->loopback();
  if (reachable && !tls_ && !options_.behind_proxy) {
    return Fail(Error::InvalidArgument(
        "an address that others can reach needs a TLS certificate, or --behind-proxy"));
  }
  if (options_.ready_fd >= 0) fcntl(options_.ready_fd, F_SETFD, FD_CLOEXEC);
  if (options_.workers > 0) TakeCgroup();
  GC_TRY_VOID(WatchSignals());
  return GiveUpOwnRights();
}

Status Supervisor::State::WatchSignals() {
  sigset_t watched;
  sigemptyset(&watched);
  for (const int signal_number : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) sigaddset(&watched, signal_number);
  sigprocmask(SIG_BLOCK, &watched, nullptr);
  signal(SIGPIPE, SIG_IGN);
  signals_ = Fd(signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_.valid()) return Fail(Error::FromErrno(errno, "signalfd"));
  loop_.Add(signals_.get(), EPOLLIN, [this](uint32_t) { OnSignals(); });
  return Ok();
}

void Supervisor::State::OnSignals() {
  signalfd_siginfo info{};
  while (read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    if (info.ssi_signo == static_cast<uint32_t>(SIGCHLD)) {
      Reap();
    } else {
      BeginShutdown();
    }
  }
}

Status Supervisor::State::Run() {
  LogInfo("serving http on " + http_->address() + ", control on " + control_->address() +
          (for_workers_ ? ", workers on " + for_workers_->address() : ""));
  if (HasRelay()) Start(kRelay);
  for (const ChildId& id : {kCustodian, kPublicEdge, kControlEdge}) Start(id);
  for (uint32_t slot = 0; slot < options_.workers; ++slot) Start({Kind::kWorker, slot});
  if (HasGate()) Start(kGate);
  if (tls_) loop_.Every(kTlsCheckMillis, [this] { CheckTlsFiles(); });
  loop_.Run();
  if (cgroup_) cgroup_->GiveBack();
  if (options_.ready_fd >= 0) close(std::exchange(options_.ready_fd, -1));
  return outcome_;
}

// ---- starting a process ----

void Supervisor::State::Start(const ChildId& id) {
  Child& child = children_[id];
  child.timer = 0;
  child.started_ms = NowMillis();
  child.ready = false;
  child.end_requested = false;
  std::vector<std::string> arguments = ArgumentsOf(id);
  const auto seat = id.kind == Kind::kWorker ? SeatOf(id, arguments) : std::nullopt;
  Result<Launched> launched = Launch(ProgramOf(id.kind), arguments, seat ? seat->fd() : -1);
  if (!launched) {  // no memory or no process number: try again
    LogError(Name(id) + ": " + launched.error().message());
    OnDeath(id, {.words = "not started"});
    return;
  }
  child.pid = launched->pid;
  child.lifeline = std::move(launched->lifeline);
  LogInfo("started " + Name(id) + " as process " + std::to_string(child.pid));
  loop_.Add(child.lifeline.get(), EPOLLIN, [this, id](uint32_t) { OnLifeline(id); });
  Equip(id);
}

void Supervisor::State::ReportWhenReady() {
  if (reported_ready_ || shutting_down_) return;
  for (const auto& [id, child] : children_) {
    if (NeededByAll(id) ? !child.ready : !child.settled) return;
  }
  reported_ready_ = true;
  LogInfo("ready");
  if (options_.ready_fd < 0) return;
  [[maybe_unused]] const ssize_t bytes = write(options_.ready_fd, "ready\n", 6);
  close(std::exchange(options_.ready_fd, -1));
}

// ---- listening to the processes ----

void Supervisor::State::OnLifeline(const ChildId& id) {
  // A bounded number per round: no process holds the loop by talking.
  for (int count = 0; count < kMessagesPerRound && children_[id].running(); ++count) {
    auto received = process::ReceiveLifeline(children_[id].lifeline.get());
    if (received && !*received) return;
    if (!received) {
      loop_.Remove(children_[id].lifeline.get());
      if (received.error().code() == Code::kUnavailable) return OnLifelineClosed(id);
      LogError(Name(id) + ": " + received.error().message());
      return Kill(id);
    }
    OnMessage(id, std::move(**received));
  }
}

// Mostly it is dying and we hear of it in a moment; to say now that we ended it would hide who did.
void Supervisor::State::OnLifelineClosed(const ChildId& id) {
  loop_.After(kDyingMillis, [this, id, pid = children_[id].pid] {
    const auto child = children_.find(id);
    if (child != children_.end() && child->second.pid == pid) Kill(id);
  });
}

void Supervisor::State::OnMessage(const ChildId& from, process::ReceivedLifelineMessage received) {
  if (received.message.type == Type::kReady) {
    children_[from].ready = true;
    children_[from].settled = true;
    return ReportWhenReady();
  }
  if (from == kCustodian) return OnCustodianMessage(std::move(received));
  LogError(Name(from) + " asks for what only the custodian may");
  Kill(from);
}

void Supervisor::State::OnCustodianMessage(process::ReceivedLifelineMessage received) {
  const Message& message = received.message;
  switch (message.type) {
    case Type::kNeedHost: return StartHost(message.slot);
    case Type::kInspect: return StartInspector(message.slot);
    case Type::kStop: return BeginShutdown();
    case Type::kOutlet: return OnOutlet(std::move(received));
    case Type::kKill: {
      const ChildId id{message.peer, message.slot};
      if (children_.contains(id)) Kill(id);
      return;
    }
    default: LogError("the custodian sent a message that is not its own"); return Kill(kCustodian);
  }
}

// Passed on unread: which server stands behind it was said to the relay on its command line.
void Supervisor::State::OnOutlet(process::ReceivedLifelineMessage received) {
  const uint32_t index = received.message.slot;
  if (index >= outlets_.size() || received.fds.size() != 1) {
    LogError("the custodian sent an outlet that leads nowhere");
    return Kill(kCustodian);
  }
  outlets_[index] = std::move(received.fds[0]);
  Send(kRelay, {.type = Type::kOutlet, .peer = Kind::kCustodian, .slot = index}, {outlets_[index].get()});
}

void Supervisor::State::StartHost(uint32_t slot) {
  const ChildId id{Kind::kHost, slot};
  if (shutting_down_ || children_.contains(id)) return;  // it runs, or its restart is on the way
  if (slot >= kHostsMax) return LogError("no host for slot " + std::to_string(slot) + ": too many");
  Start(id);
}

void Supervisor::State::StartInspector(uint32_t number) {
  const ChildId id{Kind::kInspector, number};
  if (shutting_down_ || children_.contains(id)) return;
  size_t inspectors = 0;
  for (const auto& [other, child] : children_) inspectors += other.kind == Kind::kInspector ? 1 : 0;
  if (inspectors >= kInspectorsMax) {
    return Send(kCustodian, {.type = Type::kPeerGone, .peer = id.kind, .slot = id.slot});
  }
  Start(id);
  const auto started = children_.find(id);
  if (started == children_.end()) return;
  started->second.timer = loop_.After(kInspectorMillis, [this, id] {
    LogWarning(Name(id) + " took too long");
    Kill(id);
  });
}

// ---- the end of a process ----

void Supervisor::State::Kill(const ChildId& id) {
  Child& child = children_[id];
  if (!child.running()) return;
  child.end_requested = true;
  kill(child.pid, SIGKILL);
}

void Supervisor::State::Reap() {
  int status = 0;
  for (pid_t pid = waitpid(-1, &status, WNOHANG); pid > 0; pid = waitpid(-1, &status, WNOHANG)) {
    for (const auto& [id, child] : children_) {
      if (child.pid != pid) continue;
      const ChildId dead = id;
      OnDeath(dead, ReadDeath(status, child.end_requested));
      break;
    }
  }
}

void Supervisor::State::OnDeath(const ChildId& id, const Death& death) {
  Child& child = children_[id];
  const int64_t lived_ms = NowMillis() - child.started_ms;
  if (child.lifeline.valid()) loop_.Remove(child.lifeline.get());
  if (child.timer != 0) loop_.Cancel(std::exchange(child.timer, 0));
  child.lifeline = Fd();
  child.pid = 0;
  child.ready = false;
  child.settled = true;
  if (shutting_down_) return AdvanceShutdown();
  if (id.kind != Kind::kInspector || !death.clean) LogWarning(Name(id) + " ended: " + death.words);
  TellOfDeath(id, death.from_outside);
  if (id.kind == Kind::kInspector) {
    children_.erase(id);
  } else {
    RestartLater(id, death, lived_ms);
  }
  ReportWhenReady();
}

void Supervisor::State::TellOfDeath(const ChildId& id, bool from_outside) {
  const Message message{Type::kPeerGone, id.kind, id.slot, from_outside ? 1u : 0u};
  if (id == kCustodian) {
    KillInspectors();  // the next custodian knows nothing of their numbers
  } else {
    Send(kCustodian, message);
  }
  if (id != kPublicEdge) Send(kPublicEdge, message);
}

void Supervisor::State::RestartLater(const ChildId& id, const Death& death, int64_t lived_ms) {
  Child& child = children_[id];
  const int64_t delay_ms = child.pace.DelayMillis(lived_ms, death.from_outside);
  if (!reported_ready_ && NeededByAll(id) && !death.from_outside &&
      ++child.deaths_at_start >= kDeathsAtStartMax) {
    outcome_ = Fail(Error::FailedPrecondition(Name(id) + " does not start: " + death.words));
    return BeginShutdown();
  }
  // Through the loop even without delay: a process that cannot be started must not recurse.
  child.timer = loop_.After(delay_ms, [this, id] { Start(id); });
}

void Supervisor::State::KillInspectors() {
  for (const auto& [id, child] : children_) {
    if (id.kind == Kind::kInspector) Kill(id);
  }
}

// ---- the end of everything ----

void Supervisor::State::BeginShutdown() {
  if (std::exchange(shutting_down_, true)) return;
  LogInfo("shutting down");
  for (auto& [id, child] : children_) {
    if (child.timer != 0) loop_.Cancel(std::exchange(child.timer, 0));
  }
  KillInspectors();
  shutdown_stage_ = 0;
  AdvanceShutdown();
}

bool Supervisor::State::AnyRunning(const std::vector<Kind>& kinds) const {
  for (const auto& [id, child] : children_) {
    for (const Kind kind : kinds) {
      if (id.kind == kind && child.running()) return true;
    }
  }
  return false;
}

// Edges finish their answers while hosts still compute, hosts theirs while the custodian still writes.
void Supervisor::State::AdvanceShutdown() {
  static const std::vector<std::vector<Kind>> stages = {
      {Kind::kPublicEdge, Kind::kControlEdge, Kind::kInspector},
      {Kind::kHost, Kind::kWorker, Kind::kGate},
      {Kind::kCustodian},
      {Kind::kRelay}};
  while (shutdown_stage_ < stages.size()) {
    const std::vector<Kind>& kinds = stages[shutdown_stage_];
    if (!AnyRunning(kinds)) {
      if (shutdown_timer_ != 0) loop_.Cancel(std::exchange(shutdown_timer_, 0));
      ++shutdown_stage_;
      continue;
    }
    if (shutdown_timer_ != 0) return;  // asked already
    const auto each = [this, kinds](const auto& act) {
      for (const auto& [id, child] : children_) {
        for (const Kind kind : kinds) {
          if (id.kind == kind) act(id);
        }
      }
    };
    each([this](const ChildId& id) {
      children_[id].end_requested = true;
      Send(id, {.type = Type::kShutDown, .value = kFinishMillis});
    });
    shutdown_timer_ = loop_.After(kStageMillis, [this, each] {
      each([this](const ChildId& id) {
        if (children_[id].running()) LogWarning(Name(id) + " did not end in time");
        Kill(id);
      });
    });
    return;
  }
  loop_.Stop();
}

}  // namespace glasscase::supervision
