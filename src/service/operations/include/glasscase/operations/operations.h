// The custodian's work: requests of the edges in, decisions applied, every process told, answers out.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <glasscase/blobs/blob_store.h>
#include <glasscase/catalog/catalog.h>
#include <glasscase/core/clock.h>
#include <glasscase/core/error.h>
#include <glasscase/crypto/ecdsa.h>
#include <glasscase/crypto/random.h>
#include <glasscase/ledger/anchor.h>
#include <glasscase/ledger/cosigning.h>
#include <glasscase/ledger/files.h>
#include <glasscase/ledger/note.h>
#include <glasscase/ledger/policy.h>
#include <glasscase/process/confine.h>
#include <glasscase/process/event_loop.h>
#include <glasscase/process/fd.h>
#include <glasscase/process/lifeline.h>

namespace glasscase::operations {

struct PeerId {
  process::ProcessKind kind = process::ProcessKind::kPublicEdge;
  uint32_t slot = 0;
  auto operator<=>(const PeerId&) const = default;
};

// What is asked of the supervisor (process/lifeline.h), which answers by Operations::Link and PeerGone.
class Supervisor {
 public:
  virtual ~Supervisor() = default;
  virtual void NeedHost(uint32_t slot) = 0;   // asking again is fine
  virtual void Kill(const PeerId& peer) = 0;  // the peer may be gone already
  virtual void Inspect(uint32_t number) = 0;  // a link to inspector `number`, please
  virtual void Stop() = 0;
};

// Sends a request to a witness of the policy. Blocks; called on threads of Operations' own, one at a time.
using AskWitness = std::function<Result<ledger::WitnessReply>(const ledger::WitnessRequest&)>;

// Whether no other custodian can have taken this catalog over by now, nor will within a lease
// (docs/guides/running-an-installation.md, "Standing by"). May ask the catalog's server.
using HoldsSeat = std::function<bool()>;

// Chosen in apps/; all outlive Operations.
struct Parts {
  process::EventLoop& loop;
  const Clock& clock;
  RandomSource& random;
  catalog::Catalog& catalog;
  blobs::BlobStore& blobs;
  Supervisor& supervisor;
  ledger::LogFiles& log_files;
  ledger::NoteSigner log_signer;
  EcdsaPrivateKey signing_key;  // of what is published, for others to check
  EcdsaPrivateKey gate_key;     // of the TLS that workers on other machines meet
  AskWitness ask_witness{};     // with Settings::witnesses
  ledger::Anchor* anchor =
      nullptr;             // of the chain, where one is configured; used on a thread of Operations' own
  HoldsSeat holds_seat{};  // none: always
};

struct Settings {
  std::string chain{};              // which one, for people
  int64_t anchor_every_s = 86'400;  // a checkpoint to the chain; 0: only when somebody asks for it
  Fd audit_directory;
  Fd runs_directory;                                     // what runs print
  std::optional<ledger::Policy> witnesses{};             // who shall sign the log's checkpoints too
  std::string version;                                   // of the program, for `glasscase status`
  process::Confinement confinement;                      // the custodian's own
  bool closed_log = false;                               // the ledger's files need a token
  std::function<std::string_view(uint16_t)> route_name;  // of the routes of edges and hosts, from 1000 on
  uint32_t runs_per_owner = 0;                           // at once; 0: as many as workers take
  int64_t uploads_idle_ms = int64_t{24} * 3'600'000;     // an upload to which nothing comes for so long goes
};

// One thread: the loop's.
class Operations {
 public:
  // Sweeps blobs that no version uses and asks for the hosts. FailedPrecondition when the catalog holds no
  // installation.
  static Result<std::unique_ptr<Operations>> Start(const Parts& parts, Settings settings);
  ~Operations();

  // A socket to a process that has just started; replaces an earlier one of that peer.
  void Link(const PeerId& peer, Fd socket);
  // The process is dead.
  void PeerGone(const PeerId& peer);

  // Writes what is still in memory: audit lines and last uses of tokens. Before the end of the process.
  void Flush();

 private:
  class Core;
  explicit Operations(std::unique_ptr<Core> core);
  std::unique_ptr<Core> core_;
};

}  // namespace glasscase::operations
