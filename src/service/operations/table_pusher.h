// Keeps the access tables of edges and hosts equal to the catalog, and knows when they are.
//
// A process is told the whole table when it links and every change after that, each with a sequence number.
// It gets its first lease when it has acknowledged all it was told; from then on every change waits for its
// acknowledgement, and if that does not come it is killed, and the change waits until it is dead or its lease
// has lapsed: after `done` nobody acts on what was withdrawn. Leases are acknowledged too, with sequence 0,
// so a process that hangs is noticed and killed when nothing changes.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>

#include <glasscase/catalog/catalog.h>
#include <glasscase/core/clock.h>
#include <glasscase/operations/operations.h>

#include "peer_links.h"
#include "table_rows.h"

namespace glasscase::operations {

class TablePusher {
 public:
  static constexpr int64_t kAcknowledgeMs = 250;    // then the process is killed
  static constexpr int64_t kFirstTableMs = 10'000;  // the same for a process that is still starting
  static constexpr int64_t kStartMs = 3'000;        // how long an act waits for a process that it needs
  static constexpr int64_t kLeaseNs = 5'000'000'000;
  static constexpr int64_t kLeasePeriodMs = 1'000;
  static constexpr int64_t kSilentNs = 5'000'000'000;  // no acknowledgement for so long: killed

  using Done = std::function<void(double acknowledged_ms)>;

  TablePusher(process::EventLoop& loop, const Clock& clock, const catalog::Catalog& catalog, PeerLinks& links,
              Supervisor& supervisor);
  ~TablePusher();

  // Gives leases only while `holds_seat` says so: who does not hold it any more must not let anybody act.
  void LeaseWhile(HoldsSeat holds_seat) { holds_seat_ = std::move(holds_seat); }
  // A new life of an edge or a host: sends the whole table.
  void Welcome(const PeerId& peer);
  // Sends the whole table again to everyone (another process changed the catalog).
  void TellEverythingAgain();
  // Call right after the commit. `done` is called once, also when nobody is linked, never from within Push.
  void Push(const TableChange& change, Done done);
  void Acknowledge(const PeerId& peer, uint64_t sequence);
  // `then` is called once: when the process has its first lease and has said so, at once if it has, and after
  // kStartMs if it does not come. That a lease was sent is not enough: a call may overtake it.
  void AwaitFirstLease(const PeerId& peer, std::function<void()> then);

  void Lost(const PeerId& peer);  // the link broke; the process may still live
  void Gone(const PeerId& peer);  // the process is dead

  double last_push_ms() const { return last_push_ms_; }

 private:
  struct Recipient {
    uint64_t sent = 0;  // sequence
    uint64_t acknowledged = 0;
    int64_t lease_until_ns = 0;  // 0: never had one
    int64_t heard_ns = 0;        // its last acknowledgement
    bool may_act = false;        // has answered its first lease
    bool killed = false;
    process::EventLoop::TimerId timer = 0;  // for its first table, or after its link broke
  };
  struct Pending {
    int64_t committed_ns = 0;
    std::map<PeerId, uint64_t> waiting;  // sequence to be acknowledged
    Done done;
    process::EventLoop::TimerId timer = 0;
  };
  struct Awaited {
    PeerId peer;
    std::function<void()> then;
    process::EventLoop::TimerId timer = 0;
  };
  void FinishAwaited(std::list<Awaited>::iterator awaited);
  void FinishAwaitedOf(const PeerId& peer);
  void SendWhole(const PeerId& peer, Recipient& recipient);
  PartSink SinkFor(const PeerId& peer, Recipient& recipient);
  void RenewLeases();
  void GrantFirstLease(const PeerId& peer, Recipient& recipient);
  void GrantLease(const PeerId& peer, Recipient& recipient);
  void KillSilent(std::list<Pending>::iterator pending);
  void Kill(const PeerId& peer);
  void StopWaitingFor(const PeerId& peer, uint64_t up_to_sequence);
  void FinishWhereNobodyIsWaitedFor();
  void Forget(const PeerId& peer);

  process::EventLoop& loop_;
  const Clock& clock_;
  const catalog::Catalog& catalog_;
  PeerLinks& links_;
  Supervisor& supervisor_;
  HoldsSeat holds_seat_;
  std::map<PeerId, Recipient> recipients_;
  std::list<Pending> pending_;
  std::list<Awaited> awaited_;
  double last_push_ms_ = 0;
  int64_t renewed_ns_ = 0;
  process::EventLoop::TimerId lease_timer_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace glasscase::operations
