#include "host_links.h"

#include <unistd.h>

#include <utility>

#include <glasscase/core/log.h>

namespace glasscase::http {
namespace {

// Beyond a call's own deadline the host has this long to answer or to be replaced.
constexpr int64_t kGraceNanos = 4'000'000'000;

}  // namespace

HostLinks::HostLinks(boost::asio::io_context& io, const Clock& clock) : io_(io), clock_(clock) {}

void HostLinks::Connect(uint32_t slot, process::ChannelFds fds) {
  Disconnect(slot);
  Descriptor wake(io_, dup(fds.wake_edge.get()));
  Result<process::CallChannel> channel = process::CallChannel::Open(std::move(fds), process::Side::kEdge);
  if (!channel) {
    LogError("channel to host " + std::to_string(slot) + ": " + channel.error().message());
    return;
  }
  auto host = std::make_shared<Host>(std::move(*channel), std::move(wake));
  hosts_[slot] = host;
  WaitForWake(host);
}

void HostLinks::Disconnect(uint32_t slot) {
  hosts_.erase(slot);
  FailCallsOf(slot, Error::Unavailable("the model's host restarted; try again"));
}

bool HostLinks::Connected(uint32_t slot) const { return hosts_.contains(slot); }

// Waking is all that the eventfd is for: the loop drains the rings in every round. It is cleared here and
// nowhere else; left readable it would keep the loop from sleeping.
void HostLinks::WaitForWake(const std::shared_ptr<Host>& host) {
  host->wake.async_wait(Descriptor::wait_read,
                        [this, waiting = std::weak_ptr<Host>(host)](const auto& error) {
                          const std::shared_ptr<Host> woken = waiting.lock();
                          if (error || !woken) return;
                          woken->channel.Awake();
                          WaitForWake(woken);
                        });
}

PendingCall& HostLinks::NewCall(uint64_t* id) {
  if (free_.empty()) {
    free_.push_back(static_cast<uint32_t>(calls_.size()));
    calls_.push_back(std::make_unique<PendingCall>());
  }
  const uint32_t index = free_.back();
  free_.pop_back();
  PendingCall& call = *calls_[index];
  call.in_use = true;
  ++waiting_;
  *id = uint64_t{call.generation} << 32 | index;
  return call;
}

PendingCall* HostLinks::Find(uint64_t id) {
  const auto index = static_cast<uint32_t>(id);
  if (index >= calls_.size()) return nullptr;
  PendingCall& call = *calls_[index];
  return call.in_use && call.generation == id >> 32 ? &call : nullptr;
}

void HostLinks::Release(PendingCall& call) {
  call.in_use = false;
  ++call.generation;
  call.done = nullptr;
  --waiting_;
}

void HostLinks::Abandon(uint64_t id) {
  if (PendingCall* call = Find(id)) call->done = nullptr;
}

void HostLinks::Finish(PendingCall& call, Result<const rpc::AnswerView*> answer) {
  if (const auto done = std::exchange(call.done, nullptr)) done(call.context, call, std::move(answer));
}

Status HostLinks::Submit(uint64_t id, const InferRequest& request, const Digest& credential,
                         std::string_view version) {
  PendingCall* call = Find(id);
  GC_CHECK(call != nullptr);
  const auto give_up = [&](Error error) {
    Release(*call);
    free_.push_back(static_cast<uint32_t>(id));
    return Fail(std::move(error));
  };
  const auto host = hosts_.find(call->slot);
  if (host == hosts_.end()) return give_up(Error::Unavailable("the model's host is starting; try again"));
  const size_t bytes = request.CallBytes(version);
  if (bytes > process::kRecordBytesMax) {
    return give_up(Error::InvalidArgument("the inputs have " + std::to_string(bytes) + " bytes; at most " +
                                          std::to_string(process::kRecordBytesMax) + " are taken"));
  }
  Result<std::span<uint8_t>> room = host->second->channel.Reserve(bytes);
  if (!room) return give_up(Error::Unavailable("the model's host is busy; try again"));
  const Result<size_t> used = request.WriteTo(*room, id, credential, call->model, version, call->deadline_ns);
  if (!used) return give_up(used.error());  // nothing was committed: the next reservation takes the room
  host->second->channel.Commit(*used);
  return Ok();
}

void HostLinks::WakeHosts() {
  for (const auto& [slot, host] : hosts_) host->channel.WakePeer();
}

bool HostLinks::DrainAnswers() {
  bool any = false;
  for (auto it = hosts_.begin(); it != hosts_.end();) {
    const std::shared_ptr<Host> host = it->second;  // an answer's consequences may disconnect it
    const uint32_t slot = it->first;
    ++it;
    any |= Drain(slot, *host);
  }
  return any;
}

bool HostLinks::Drain(uint32_t slot, Host& host) {
  bool any = false;
  while (true) {
    const Result<bool> received = host.channel.Receive(record_);
    if (!received) {
      LogError("host " + std::to_string(slot) + " broke its channel: " + received.error().message());
      Disconnect(slot);
      return true;
    }
    if (!*received) return any;
    any = true;
    if (const Status parsed = rpc::ParseAnswer(record_, answer_); !parsed) {
      LogError("host " + std::to_string(slot) + " sent a bad answer: " + parsed.error().message());
      Disconnect(slot);
      return true;
    }
    PendingCall* call = Find(answer_.id);
    if (call == nullptr || call->slot != slot) continue;  // expired meanwhile, or made up
    const auto index = static_cast<uint32_t>(answer_.id);
    Finish(*call, &answer_);
    Release(*call);
    free_.push_back(index);
  }
}

bool HostLinks::PrepareToSleep() {
  bool quiet = true;
  for (const auto& [slot, host] : hosts_) quiet &= host->channel.PrepareToSleep();
  return quiet;
}

void HostLinks::Awake() {
  for (const auto& [slot, host] : hosts_) host->channel.StayAwake();
}

void HostLinks::FailCallsOf(uint32_t slot, const Error& error) {
  for (uint32_t index = 0; index < calls_.size(); ++index) {
    PendingCall& call = *calls_[index];
    if (!call.in_use || call.slot != slot) continue;
    Finish(call, Fail(error));
    Release(call);
    free_.push_back(index);
  }
}

void HostLinks::ExpireCalls() {
  const int64_t now = clock_.MonotonicNanos();
  for (uint32_t index = 0; index < calls_.size(); ++index) {
    PendingCall& call = *calls_[index];
    if (!call.in_use || now < call.deadline_ns + kGraceNanos) continue;
    Finish(call, Fail(Error::DeadlineExceeded("the model did not answer in time")));
    Release(call);
    free_.push_back(index);
  }
}

}  // namespace glasscase::http
