// Where workers on other machines connect.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include <glasscase/process/confine.h>
#include <glasscase/process/event_loop.h>
#include <glasscase/process/frame_socket.h>
#include <glasscase/rpc/link.pb.h>
#include <glasscase/tunnel/spool.h>
#include <glasscase/tunnel/tls.h>
#include <glasscase/tunnel/tunnel.h>

namespace glasscase::gate {

struct GateOptions {
  size_t workers_max = 256;  // connected at a time
  size_t waiting_max = 64;   // whose hands are not shaken
  // One worker leaves as much room as it takes to the others.
  tunnel::TunnelLimits limits{.room_parts = 2};
  process::Confinement confinement{};  // of this process, for `glasscase status`
};

// One thread: the loop's. Loop and spool outlive it.
class Gate {
 public:
  Gate(process::EventLoop& loop, const tunnel::Spool& spool, GateOptions options);
  ~Gate();

  // A listening TCP socket. Nobody is let in before the custodian has said who may come.
  void Listen(Fd socket);
  // To a custodian that has just started: what was carried for the last one ends.
  void Link(Fd custodian);

 private:
  struct Connection {
    std::unique_ptr<tunnel::Tunnel> tunnel;
    std::string address;
    std::string name{};  // once it is known who it is
    std::optional<Pin> pin{};
  };
  using Id = uint64_t;

  void OnLink(uint32_t events);
  void LoseLink(const std::string& why);
  void Say(const rpc::ToCustodian& message, std::vector<Fd> fds = {});
  void TakeOrders(const rpc::GateOrders& orders);
  void CutOffRemoved();
  void Accept();
  void Take(Fd socket, std::string address);
  void MakeRoom();
  void PauseAccepting();
  void OnUp(Id id, const Pin& pin);
  void OnGone(Id id, const Error& why);
  Status Trusts(const Pin& pin) const;
  size_t CountUp() const;
  void WatchListener();
  void NoteRefusal(const std::string& address, const std::string& why);

  process::EventLoop& loop_;
  const tunnel::Spool& spool_;
  const GateOptions options_;
  Fd listener_;
  bool accepts_ = false;
  bool paused_ = false;
  std::optional<process::FrameSocket> link_;
  bool watching_writable_ = false;
  std::optional<tunnel::TlsIdentity> identity_;
  std::map<Pin, std::string> enrolled_;  // names by pin
  std::map<Id, Connection> connections_;
  Id next_ = 1;
  process::EventLoop::TimerId timer_ = 0;
  uint32_t refusals_ = 0;                                  // of this second
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);  // what is posted looks whether this is gone
};

}  // namespace glasscase::gate
