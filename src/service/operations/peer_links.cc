#include "peer_links.h"

#include <sys/epoll.h>

#include <glasscase/core/bytes.h>
#include <glasscase/core/log.h>

namespace glasscase::operations {
namespace {

std::string NameOf(const PeerId& peer) {
  return std::string(process::ProcessKindName(peer.kind)) + " " + std::to_string(peer.slot);
}

// Frames of edges carry pieces of uploads; hosts and inspectors say little.
process::FrameSocket::Limits LimitsFor(process::ProcessKind kind) {
  const bool edge = kind == process::ProcessKind::kPublicEdge || kind == process::ProcessKind::kControlEdge;
  process::FrameSocket::Limits limits;
  limits.frame_bytes_max = edge ? size_t{4} << 20 : size_t{1} << 20;
  limits.peer_is_foreign = true;
  return limits;
}

}  // namespace

PeerLinks::~PeerLinks() {
  for (auto& [peer, link] : links_) loop_.Remove(link->socket.fd());
}

LinkId PeerLinks::Add(const PeerId& peer, Fd socket) {
  Remove(peer);
  auto link = std::make_unique<Link>(std::move(socket), LimitsFor(peer.kind));
  link->serial = next_serial_++;
  const LinkId id{peer, link->serial};
  loop_.Add(link->socket.fd(), EPOLLIN, [this, id](uint32_t events) { OnReady(id, events); });
  links_[peer] = std::move(link);
  return id;
}

void PeerLinks::Remove(const PeerId& peer) {
  const auto found = links_.find(peer);
  if (found == links_.end()) return;
  loop_.Remove(found->second->socket.fd());
  removed_->push_back(std::move(found->second));
  links_.erase(found);
  loop_.Post([removed = removed_] { removed->clear(); });
}

bool PeerLinks::IsCurrent(const LinkId& link) const {
  const auto found = links_.find(link.peer);
  return found != links_.end() && found->second->serial == link.serial;
}

void PeerLinks::Send(const PeerId& peer, const rpc::FromCustodian& message, std::vector<Fd> fds) {
  const auto found = links_.find(peer);
  if (found == links_.end()) return;
  Link& link = *found->second;
  const Status sent = link.socket.Send(message.SerializeAsString(), std::move(fds));
  if (sent) return Watch(link);
  LogWarning("cannot write to " + NameOf(peer) + ": " + sent.error().message());
  // Not from within the sender's own work, which still counts on the link.
  loop_.Post([this, id = LinkId{peer, link.serial}, alive = std::weak_ptr(removed_)] {
    if (!alive.expired()) Lose(id);
  });
}

PeerLinks::Profile* PeerLinks::ProfileOf(const PeerId& peer) {
  const auto found = links_.find(peer);
  return found == links_.end() ? nullptr : &found->second->profile;
}

std::vector<PeerId> PeerLinks::Peers() const {
  std::vector<PeerId> peers;
  peers.reserve(links_.size());
  for (const auto& [peer, link] : links_) peers.push_back(peer);
  return peers;
}

void PeerLinks::OnReady(const LinkId& id, uint32_t events) {
  if (!IsCurrent(id)) return;
  Link& link = *links_[id.peer];
  Status status = Ok();
  if ((events & EPOLLOUT) != 0) status = link.socket.Flush();
  bool broke_rules = false;
  const bool may_send_files =
      id.peer.kind == process::ProcessKind::kWorker || id.peer.kind == process::ProcessKind::kGate;
  if (status && (events & ~uint32_t{EPOLLOUT}) != 0) {
    status = link.socket.Receive([&](process::Frame frame) {
      rpc::ToCustodian message;
      process::ForeignFds fds(std::move(frame.fds));
      if (broke_rules || !IsCurrent(id)) return;
      if ((!may_send_files && !fds.empty()) || !message.ParseFromString(frame.payload)) {
        broke_rules = true;
        return;
      }
      listener_.on_message(id, std::move(message), std::move(fds));
    });
  }
  if (!IsCurrent(id)) return;
  if (broke_rules) status = Fail(Error::InvalidArgument("it sent what is no message"));
  if (status) return Watch(link);
  if (status.error().code() != Code::kUnavailable)
    LogWarning(NameOf(id.peer) + " is cut off: " + status.error().message());
  Lose(id);
}

void PeerLinks::Lose(const LinkId& id) {
  if (!IsCurrent(id)) return;
  Remove(id.peer);
  listener_.on_lost(id);
}

void PeerLinks::Watch(Link& link) {
  const bool wanted = link.socket.wants_write();
  if (wanted == link.watching_writable) return;
  link.watching_writable = wanted;
  loop_.Modify(link.socket.fd(), wanted ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

}  // namespace glasscase::operations
