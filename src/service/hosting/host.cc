#include <glasscase/hosting/host.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <glasscase/core/log.h>
#include <glasscase/hosting/model_files.h>
#include <glasscase/process/call_channel.h>
#include <glasscase/process/event_loop.h>
#include <glasscase/process/frame_socket.h>
#include <glasscase/process/lifeline.h>
#include <glasscase/rpc/convert.h>
#include <glasscase/rpc/link.pb.h>

#include "call_port.h"
#include "dispatcher.h"
#include "gate.h"
#include "model_loader.h"

namespace glasscase::hosting {
namespace {

constexpr int64_t kTickMs = 10;
constexpr int64_t kAuditMs = 1000;
constexpr int64_t kNoteMs = 5000;
constexpr int kLastWordsMs = 1000;                   // to tell the custodian before the end
constexpr size_t kFrameBytesMax = size_t{64} << 20;  // a part of a whole table
constexpr size_t kAuditRecordsPerFrame = 4096;

using process::LifelineMessage;

DispatcherOptions MakeDispatcherOptions(const HostOptions& options) {
  DispatcherOptions result;
  result.threads = std::max(options.threads, 1U);
  result.memory_bytes = options.memory_bytes;
  result.call_deadline_ns = options.call_deadline_ms * 1'000'000;
  result.hard_grace_ns = options.hard_grace_ms * 1'000'000;
  result.call_bytes_max = std::min<size_t>(result.call_bytes_max, options.memory_bytes / 8);
  return result;
}

}  // namespace

// The control thread: lifeline, custodian, ticks.
class Host::Control {
 public:
  Control(HostOptions options, inference::Engine& engine, const Clock& clock, Fd lifeline,
          std::function<void(int)> end_process)
      : options_(std::move(options)),
        clock_(clock),
        lifeline_(std::move(lifeline)),
        end_process_(std::move(end_process)),
        gate_(clock),
        dispatcher_(MakeDispatcherOptions(options_), gate_, clock, MakeHooks()),
        loader_(engine, dispatcher_) {}

  void Run();

 private:
  Dispatcher::Hooks MakeHooks();

  // the supervisor
  void OnLifeline();
  void OnMessage(process::ReceivedLifelineMessage received);
  void OnCallLink(uint32_t slot, std::vector<Fd> fds);
  void OnShutDown(uint32_t grace_ms);

  // the custodian
  void OnCustodianLink(Fd socket);
  void OnCustodianEvent(uint32_t events);
  void OnFrame(process::Frame frame);
  void Acknowledge(uint64_t sequence);
  void OnTable(const rpc::TableUpdate& update);
  void OnModelFiles(const rpc::ModelFiles& message, std::vector<Fd> fds);
  bool Send(const rpc::ToCustodian& message);
  void DropCustodian(const std::string& why);
  void AskForModel(const Uuid& version);

  // time
  void StartTicking();
  void OnTick();
  void SendAudit();
  void SendNote();
  void EndWithFault(const Fault& fault);
  void FlushBlocking();

  const HostOptions options_;
  const Clock& clock_;
  Fd lifeline_;
  const std::function<void(int)> end_process_;
  process::EventLoop loop_;
  Gate gate_;
  Dispatcher dispatcher_;
  ModelLoader loader_;
  std::optional<process::FrameSocket> custodian_;
  bool link_broken_ = false;  // found while its callbacks ran; dropped after them
  std::optional<process::EventLoop::TimerId> tick_;
  std::string last_note_;
  bool shutting_down_ = false;
};

Host::Host(HostOptions options, inference::Engine& engine, const Clock& clock, Fd lifeline,
           std::function<void(int)> end_process)
    : control_(std::make_unique<Control>(std::move(options), engine, clock, std::move(lifeline),
                                         std::move(end_process))) {}
Host::~Host() = default;
void Host::Run() { control_->Run(); }

Dispatcher::Hooks Host::Control::MakeHooks() {
  return {
      .need_model = [this](const Uuid& version) { loop_.Post([this, version] { AskForModel(version); }); },
      .became_busy = [this] { loop_.Post([this] { StartTicking(); }); },
      .ran_out_of_memory =
          [this](const Uuid& version, std::string reason) {
            loop_.Post([this, version, reason = std::move(reason)] {
              rpc::ToCustodian message;
              message.mutable_model_fault()->set_version(std::string(version.AsBytes()));
              message.mutable_model_fault()->set_reason(reason);
              Send(message);
            });
          }};
}

void Host::Control::Run() {
  dispatcher_.Start();
  // Never blocks: a supervisor that stands still must not stop this loop.
  ::fcntl(lifeline_.get(), F_SETFL, ::fcntl(lifeline_.get(), F_GETFL) | O_NONBLOCK);
  loop_.Add(lifeline_.get(), EPOLLIN, [this](uint32_t) { OnLifeline(); });
  loop_.Every(kAuditMs, [this] { SendAudit(); });
  loop_.Every(kNoteMs, [this] { SendNote(); });
  if (!process::SendLifeline(lifeline_.get(), {.type = LifelineMessage::Type::kReady})) return;
  loop_.Run();
  SendAudit();
  FlushBlocking();
}

// ---- the supervisor
// ---------------------------------------------------------------------------------------------

void Host::Control::OnLifeline() {
  while (true) {
    auto received = process::ReceiveLifeline(lifeline_.get());
    if (!received) {
      // The supervisor is gone, or talks nonsense: without it nothing here makes sense.
      loop_.Stop();
      return;
    }
    if (!*received) return;
    OnMessage(std::move(**received));
  }
}

void Host::Control::OnMessage(process::ReceivedLifelineMessage received) {
  const LifelineMessage& message = received.message;
  std::vector<Fd>& fds = received.fds;
  switch (message.type) {
    case LifelineMessage::Type::kRpcLink:
      if (fds.size() == 1) OnCustodianLink(std::move(fds[0]));
      break;
    case LifelineMessage::Type::kCallLink: OnCallLink(message.slot, std::move(fds)); break;
    case LifelineMessage::Type::kQuotaMemory:
      if (fds.size() == 1) {
        const Status status = gate_.SetQuotaMemory(fds[0].get());
        if (!status) LogError("quota memory refused: " + status.error().message());
      }
      break;
    case LifelineMessage::Type::kShutDown: OnShutDown(message.value); break;
    default: break;
  }
}

void Host::Control::OnCallLink(uint32_t slot, std::vector<Fd> fds) {
  if (fds.size() != 3) return;
  auto channel = process::CallChannel::Open(
      {.memory = std::move(fds[0]), .wake_host = std::move(fds[1]), .wake_edge = std::move(fds[2])},
      process::Side::kHost);
  if (!channel) {
    LogError("call channel refused: " + channel.error().message());
    return;
  }
  dispatcher_.SetPort(slot, std::make_shared<CallPort>(std::move(*channel)));
}

void Host::Control::OnShutDown(uint32_t grace_ms) {
  shutting_down_ = true;
  dispatcher_.Drain();
  StartTicking();
  if (dispatcher_.IsIdle()) loop_.Stop();
  loop_.After(grace_ms, [this] { loop_.Stop(); });
}

// ---- the custodian
// ----------------------------------------------------------------------------------------------

void Host::Control::OnCustodianLink(Fd socket) {
  if (custodian_) loop_.Remove(custodian_->fd());
  custodian_.emplace(std::move(socket), process::FrameSocket::Limits{.frame_bytes_max = kFrameBytesMax});
  loop_.Add(custodian_->fd(), EPOLLIN, [this](uint32_t events) { OnCustodianEvent(events); });
  rpc::ToCustodian message;
  rpc::Hello& hello = *message.mutable_hello();
  hello.set_pid(static_cast<uint32_t>(::getpid()));
  for (const std::string& text : options_.confinement.in_force) hello.add_in_force(text);
  for (const std::string& text : options_.confinement.missing) hello.add_missing(text);
  Send(message);
  last_note_.clear();
  for (const Uuid& version : dispatcher_.WantedModels()) AskForModel(version);
}

void Host::Control::OnCustodianEvent(uint32_t events) {
  link_broken_ = false;
  if ((events & EPOLLOUT) != 0) {
    if (const Status status = custodian_->Flush(); !status) return DropCustodian(status.error().message());
  }
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
    const Status status = custodian_->Receive([this](process::Frame frame) { OnFrame(std::move(frame)); });
    if (!status) return DropCustodian(status.error().message());
  }
  if (link_broken_) return DropCustodian("broken message");
  loop_.Modify(custodian_->fd(), EPOLLIN | (custodian_->wants_write() ? uint32_t{EPOLLOUT} : 0U));
}

void Host::Control::OnFrame(process::Frame frame) {
  rpc::FromCustodian message;
  if (!message.ParseFromString(frame.payload)) {
    link_broken_ = true;
    return;
  }
  switch (message.message_case()) {
    case rpc::FromCustodian::kTable: OnTable(message.table()); break;
    case rpc::FromCustodian::kLease:
      gate_.SetLease(message.lease().until_monotonic_ns());
      Acknowledge(0);  // a sign of life
      break;
    case rpc::FromCustodian::kModelFiles: OnModelFiles(message.model_files(), std::move(frame.fds)); break;
    default: break;
  }
}

void Host::Control::OnTable(const rpc::TableUpdate& update) {
  const Result<bool> in_force = gate_.Apply(update);
  if (!in_force) {
    LogError("table update refused: " + in_force.error().message());
    link_broken_ = true;
    return;
  }
  if (!*in_force) return;
  Acknowledge(update.sequence());
  dispatcher_.DropUncallable();
}

void Host::Control::Acknowledge(uint64_t sequence) {
  rpc::ToCustodian message;
  message.mutable_ack()->set_sequence(sequence);
  Send(message);
}

void Host::Control::OnModelFiles(const rpc::ModelFiles& message, std::vector<Fd> fds) {
  const auto version = Uuid::FromBytes(message.version());
  if (!version) {
    link_broken_ = true;
    return;
  }
  if (message.code() != 0) {
    const bool known = message.code() <= static_cast<uint32_t>(Code::kUnauthenticated);
    dispatcher_.FinishLoad(
        *version, Fail(Error(known ? static_cast<Code>(message.code()) : Code::kUnknown, message.message())));
    return;
  }
  auto claims = ReadClaims(message.files());
  if (!claims) {
    dispatcher_.FinishLoad(*version, Fail(claims.error()));
    return;
  }
  StartTicking();  // loading has a limit too
  loader_.Load(*version, std::move(*claims), std::move(fds));
}

bool Host::Control::Send(const rpc::ToCustodian& message) {
  if (!custodian_) return false;
  const Status status = custodian_->Send(message.SerializeAsString());
  if (!status) {
    link_broken_ = true;  // the socket's end shows as an event too
    return false;
  }
  if (custodian_->wants_write()) loop_.Modify(custodian_->fd(), EPOLLIN | EPOLLOUT);
  return true;
}

// The table stays in force until its lease lapses; the supervisor sends a new link with a new custodian.
void Host::Control::DropCustodian(const std::string& why) {
  LogWarning("link to the custodian lost: " + why);
  loop_.Remove(custodian_->fd());
  custodian_.reset();
}

void Host::Control::AskForModel(const Uuid& version) {
  rpc::ToCustodian message;
  message.mutable_need_model()->set_version(std::string(version.AsBytes()));
  Send(message);
}

// ---- time
// -------------------------------------------------------------------------------------------------------

void Host::Control::StartTicking() {
  if (!tick_) tick_ = loop_.Every(kTickMs, [this] { OnTick(); });
}

void Host::Control::OnTick() {
  bool busy = false;
  if (const std::optional<Fault> fault = dispatcher_.Tick(&busy)) {
    EndWithFault(*fault);
    return;
  }
  if (busy) return;
  if (shutting_down_) loop_.Stop();
  if (tick_) loop_.Cancel(*std::exchange(tick_, std::nullopt));
}

void Host::Control::SendAudit() {
  if (!custodian_) return;  // kept until there is one again
  const std::vector<access::AuditRecord> records = gate_.TakeAudit();
  for (size_t at = 0; at < records.size(); at += kAuditRecordsPerFrame) {
    rpc::ToCustodian message;
    *message.mutable_audit() =
        rpc::ToMessage(std::span(records).subspan(at, std::min(kAuditRecordsPerFrame, records.size() - at)));
    Send(message);
  }
}

void Host::Control::SendNote() {
  std::string note = dispatcher_.Note();
  if (note == last_note_) return;
  rpc::ToCustodian message;
  message.mutable_host_note()->set_text(note);
  if (Send(message)) last_note_ = std::move(note);
}

void Host::Control::EndWithFault(const Fault& fault) {
  LogError("ending: " + fault.reason + ", version=" + fault.version.ToString());
  SendAudit();
  rpc::ToCustodian message;
  message.mutable_model_fault()->set_version(std::string(fault.version.AsBytes()));
  message.mutable_model_fault()->set_reason(fault.reason);
  Send(message);
  FlushBlocking();
  end_process_(kExitModelFault);
}

void Host::Control::FlushBlocking() {
  const int64_t until_ns = clock_.MonotonicNanos() + int64_t{kLastWordsMs} * 1'000'000;
  while (custodian_ && custodian_->wants_write() && clock_.MonotonicNanos() < until_ns) {
    pollfd polled{.fd = custodian_->fd(), .events = POLLOUT, .revents = 0};
    ::poll(&polled, 1, kLastWordsMs);
    if (!custodian_->Flush()) return;
  }
}

}  // namespace glasscase::hosting
