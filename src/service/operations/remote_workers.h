// Workers on other machines: who is enrolled, and who of them is connected. The gate asks of each connection
// that it proves to have an enrolled key; what a worker may say is as little as one of this machine may.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <glasscase/crypto/ecdsa.h>
#include <glasscase/crypto/pin.h>

#include "desk.h"

namespace glasscase::operations {

struct EnrolledWorker {
  std::string name;
  Pin pin{};  // of its key
  int64_t enrolled_micros = 0;
};

// One thread: the loop's.
class RemoteWorkers {
 public:
  static constexpr PeerId kGate{process::ProcessKind::kGate, 0};
  static constexpr uint32_t kFirstSlot = 1 << 16;  // those of this machine have lower ones
  static constexpr size_t kWorkersMax = 256;

  struct Connection {
    std::string address;  // for people
    int64_t since_micros = 0;
  };

  // `gate_key`: of the gate's TLS.
  RemoteWorkers(Desk& desk, EcdsaPrivateKey gate_key) : desk_(desk), gate_key_(std::move(gate_key)) {}

  Status Load();
  const std::vector<EnrolledWorker>& enrolled() const { return enrolled_; }
  Pin gate_pin() const { return PinOf(gate_key_.public_key()); }
  const EnrolledWorker* Find(std::string_view name) const;

  // InvalidArgument for a name that cannot be one, AlreadyExists for a name or a key that is enrolled.
  Status Check(const EnrolledWorker& worker) const;
  // Both are durable, and the gate is told, when they return.
  Status Add(EnrolledWorker worker);
  Status Remove(const std::string& name);

  // Who may come, to a gate that has just started or after a change.
  void TellGate();

  // The peer that a connection is; PermissionDenied when its key is not enrolled (any more).
  Result<PeerId> Admit(const rpc::WorkerCame& came);
  void NoteConnected(const PeerId& peer, const std::string& address);
  void NoteGone(const PeerId& peer);
  static bool IsRemote(const PeerId& peer) {
    return peer.kind == process::ProcessKind::kWorker && peer.slot >= kFirstSlot;
  }
  // Null: it is not connected.
  const Connection* ConnectionOf(const std::string& name) const;
  PeerId PeerOf(const std::string& name);
  // Of a worker that is connected.
  std::string NameOf(const PeerId& peer) const;
  // What a worker of another machine says of itself, under the name that it has here and of bounded size.
  void Restrain(const PeerId& peer, rpc::WorkerHello& hello) const;

 private:
  Status Save(const std::vector<EnrolledWorker>& workers);

  Desk& desk_;
  EcdsaPrivateKey gate_key_;
  std::vector<EnrolledWorker> enrolled_;
  std::map<std::string, uint32_t> slots_;  // of every name that was connected in this life
  std::map<std::string, Connection> connected_;
};

}  // namespace glasscase::operations
