// The sockets to the other processes.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <glasscase/core/error.h>
#include <glasscase/operations/operations.h>
#include <glasscase/process/close_elsewhere.h>
#include <glasscase/process/event_loop.h>
#include <glasscase/process/frame_socket.h>
#include <glasscase/rpc/link.pb.h>

namespace glasscase::operations {

// One life of one process: an answer never goes to the process that came after the one that asked.
struct LinkId {
  PeerId peer;
  uint64_t serial = 0;
  bool operator==(const LinkId&) const = default;
};

class PeerLinks {
 public:
  struct Listener {
    std::function<void(const LinkId&, rpc::ToCustodian, process::ForeignFds)> on_message;
    // The socket broke, or the peer broke the rules; the link is removed already. Not called for Remove.
    std::function<void(const LinkId&)> on_lost;
  };
  // What a process has told about itself.
  struct Profile {
    rpc::Hello hello;
    std::string note;
  };

  explicit PeerLinks(process::EventLoop& loop) : loop_(loop) {}
  ~PeerLinks();
  void SetListener(Listener listener) { listener_ = std::move(listener); }

  LinkId Add(const PeerId& peer, Fd socket);
  void Remove(const PeerId& peer);
  bool Has(const PeerId& peer) const { return links_.contains(peer); }
  bool IsCurrent(const LinkId& link) const;

  // A peer that cannot be written to is lost.
  void Send(const PeerId& peer, const rpc::FromCustodian& message, std::vector<Fd> fds = {});

  Profile* ProfileOf(const PeerId& peer);
  std::vector<PeerId> Peers() const;

 private:
  struct Link {
    Link(Fd fd, process::FrameSocket::Limits limits) : socket(std::move(fd), limits) {}
    process::FrameSocket socket;
    uint64_t serial = 0;
    bool watching_writable = false;
    Profile profile;
  };
  void OnReady(const LinkId& id, uint32_t events);
  void Lose(const LinkId& id);
  void Watch(Link& link);

  process::EventLoop& loop_;
  Listener listener_;
  std::map<PeerId, std::unique_ptr<Link>> links_;
  uint64_t next_serial_ = 1;
  // Removed links live until the loop comes round: a frame of theirs may still be on the stack.
  std::shared_ptr<std::vector<std::unique_ptr<Link>>> removed_ =
      std::make_shared<std::vector<std::unique_ptr<Link>>>();
};

}  // namespace glasscase::operations
