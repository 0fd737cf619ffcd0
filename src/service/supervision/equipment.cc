// What each process gets once it runs: its sockets, its peers, its files.
#include <sys/mman.h>

#include <glasscase/core/log.h>
#include <glasscase/process/call_channel.h>
#include <glasscase/process/frame_socket.h>

#include "supervisor_state.h"

namespace glasscase::supervision {

void Supervisor::State::Equip(const ChildId& id) {
  switch (id.kind) {
    case Kind::kCustodian:
      Send(id, {.type = Type::kDataDirectory}, {data_directory_.get()});
      for (const auto& [other, child] : children_) LinkToCustodian(other);
      return;
    case Kind::kPublicEdge:
    case Kind::kControlEdge: return EquipEdge(id);
    case Kind::kHost: return EquipHost(id);
    case Kind::kInspector:
    case Kind::kWorker: return LinkToCustodian(id);
    case Kind::kRelay: return EquipRelay(id);
    case Kind::kGate: return EquipGate(id);
  }
}

void Supervisor::State::EquipEdge(const ChildId& id) {
  ListeningSocket& listener = id == kPublicEdge ? *http_ : *control_;
  LinkToCustodian(id);
  if (id == kPublicEdge) {
    for (const auto& [other, child] : children_) {
      if (other.kind == Kind::kHost) LinkCalls(other);
    }
  }
  // The certificate first, and without it no socket: nothing is ever served in the clear by mistake.
  if (tls_ && !SendTlsFiles(id)) return Kill(id);
  if (const Status repaired = listener.Repair(); !repaired) {
    LogError(Name(id) + ": " + repaired.error().message());
    return Kill(id);
  }
  Send(id, {.type = Type::kListen}, {listener.fd()});
}

void Supervisor::State::EquipHost(const ChildId& id) {
  Child& child = children_[id];
  if (!child.quota_memory.valid()) child.quota_memory = Fd(memfd_create("glasscase-quota", MFD_CLOEXEC));
  Send(id, {.type = Type::kQuotaMemory}, {child.quota_memory.get()});
  LinkToCustodian(id);
  LinkCalls(id);
}

void Supervisor::State::EquipRelay(const ChildId& id) {
  for (size_t i = 0; i < outlets_.size(); ++i) {
    if (!outlets_[i].valid()) continue;
    Send(id, {.type = Type::kOutlet, .peer = Kind::kCustodian, .slot = static_cast<uint32_t>(i)},
         {outlets_[i].get()});
  }
}

void Supervisor::State::EquipGate(const ChildId& id) {
  LinkToCustodian(id);
  if (const Status repaired = for_workers_->Repair(); !repaired) {
    LogError(Name(id) + ": " + repaired.error().message());
    return Kill(id);
  }
  Send(id, {.type = Type::kListen}, {for_workers_->fd()});
}

bool Supervisor::State::SendTlsFiles(const ChildId& id) {
  const auto files = tls_->Descriptors();
  if (!files) {
    LogError(Name(id) + ": " + files.error().message());
    return false;
  }
  Send(id, {.type = Type::kTlsFiles}, {files->first.get(), files->second.get()});
  return true;
}

void Supervisor::State::CheckTlsFiles() {
  if (shutting_down_ || !tls_->Renew()) return;
  LogInfo("TLS files changed");
  for (const ChildId& id : {kPublicEdge, kControlEdge}) {
    if (children_[id].running()) SendTlsFiles(id);
  }
}

void Supervisor::State::LinkToCustodian(const ChildId& id) {
  if (id == kCustodian || id == kRelay || !children_[id].running() || !children_[kCustodian].running())
    return;
  const auto ends = process::MakeSocketPair();
  if (!ends) return LogError(ends.error().message());
  Send(kCustodian, {.type = Type::kRpcLink, .peer = id.kind, .slot = id.slot}, {ends->first.get()});
  Send(id, {.type = Type::kRpcLink, .peer = Kind::kCustodian}, {ends->second.get()});
}

void Supervisor::State::LinkCalls(const ChildId& host) {
  if (!children_[host].running() || !children_[kPublicEdge].running()) return;
  const auto channel = process::MakeChannel();
  if (!channel) return LogError(channel.error().message());
  const std::vector<int> fds = {channel->memory.get(), channel->wake_host.get(), channel->wake_edge.get()};
  Send(host, {.type = Type::kCallLink, .peer = Kind::kPublicEdge, .slot = host.slot}, fds);
  Send(kPublicEdge, {.type = Type::kCallLink, .peer = Kind::kHost, .slot = host.slot}, fds);
}

void Supervisor::State::Send(const ChildId& to, const Message& message, const std::vector<int>& fds) {
  Child& child = children_[to];
  if (!child.running()) return;
  const Status sent = process::SendLifeline(child.lifeline.get(), message, fds);
  if (sent || sent.error().code() == Code::kUnavailable) return;  // gone: its death is on the way
  LogError(Name(to) + ": " + sent.error().message());
  Kill(to);
}

}  // namespace glasscase::supervision
