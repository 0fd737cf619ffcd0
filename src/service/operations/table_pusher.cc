#include "table_pusher.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include <glasscase/core/log.h>
#include <glasscase/rpc/convert.h>

namespace glasscase::operations {
namespace {

std::optional<uint32_t> HostSlot(const PeerId& peer) {
  return peer.kind == process::ProcessKind::kHost ? std::optional<uint32_t>(peer.slot) : std::nullopt;
}

// The catalog has committed what cannot be told. Ending here is the safe side: leases lapse within seconds,
// and the custodian that is started next tells everything anew.
void InsistOnTelling(const Status& written) {
  if (written) return;
  LogError("cannot read the catalog to tell of a change: " + written.error().message());
  GC_CHECK(written.has_value());
}

}  // namespace

TablePusher::TablePusher(process::EventLoop& loop, const Clock& clock, const catalog::Catalog& catalog,
                         PeerLinks& links, Supervisor& supervisor)
    : loop_(loop), clock_(clock), catalog_(catalog), links_(links), supervisor_(supervisor) {
  lease_timer_ = loop_.Every(kLeasePeriodMs, [this] { RenewLeases(); });
}

TablePusher::~TablePusher() {
  loop_.Cancel(lease_timer_);
  for (const auto& [peer, recipient] : recipients_) loop_.Cancel(recipient.timer);
  for (const Pending& pending : pending_) loop_.Cancel(pending.timer);
  for (const Awaited& awaited : awaited_) loop_.Cancel(awaited.timer);
}

PartSink TablePusher::SinkFor(const PeerId& peer, Recipient& recipient) {
  return [this, peer, &recipient](const access::TableUpdate& part, bool more) {
    rpc::FromCustodian message;
    *message.mutable_table() = rpc::ToMessage(part);
    message.mutable_table()->set_sequence(++recipient.sent);
    message.mutable_table()->set_more(more);
    links_.Send(peer, message);
  };
}

void TablePusher::SendWhole(const PeerId& peer, Recipient& recipient) {
  InsistOnTelling(WriteWholeTable(catalog_, HostSlot(peer), SinkFor(peer, recipient)));
}

void TablePusher::Welcome(const PeerId& peer) {
  Gone(peer);  // a new life means that the last one is over
  Recipient& recipient = recipients_[peer];
  SendWhole(peer, recipient);
  recipient.timer = loop_.After(kFirstTableMs, [this, peer] {
    LogWarning("a process did not take its first table in time and is killed");
    Kill(peer);
  });
}

void TablePusher::TellEverythingAgain() {
  for (auto& [peer, recipient] : recipients_)
    if (!recipient.killed) SendWhole(peer, recipient);
}

void TablePusher::Push(const TableChange& change, Done done) {
  pending_.emplace_back();
  const auto pending = std::prev(pending_.end());
  pending->committed_ns = clock_.MonotonicNanos();
  pending->done = std::move(done);
  for (auto& [peer, recipient] : recipients_) {
    const uint64_t before = recipient.sent;
    if (!recipient.killed)
      InsistOnTelling(WriteChange(catalog_, change, HostSlot(peer), SinkFor(peer, recipient)));
    // One that is being killed may act on the old table until it is dead. Without a lease nobody acts on any
    // table.
    if (recipient.lease_until_ns == 0 || (recipient.sent == before && !recipient.killed)) continue;
    pending->waiting[peer] = recipient.killed ? std::numeric_limits<uint64_t>::max() : recipient.sent;
  }
  if (!pending->waiting.empty()) {
    pending->timer = loop_.After(kAcknowledgeMs, [this, pending] { KillSilent(pending); });
    return;
  }
  loop_.Post([this, alive = std::weak_ptr(alive_)] {
    if (!alive.expired()) FinishWhereNobodyIsWaitedFor();
  });
}

void TablePusher::Acknowledge(const PeerId& peer, uint64_t sequence) {
  const auto found = recipients_.find(peer);
  if (found == recipients_.end() || found->second.killed) return;
  Recipient& recipient = found->second;
  recipient.heard_ns = clock_.MonotonicNanos();
  // With the first lease nothing else was to be acknowledged, and what came later is read after it.
  const bool may_act_now = recipient.lease_until_ns != 0 && !std::exchange(recipient.may_act, true);
  // A process cannot acknowledge what it was not told.
  recipient.acknowledged = std::max(recipient.acknowledged, std::min(sequence, recipient.sent));
  if (recipient.lease_until_ns == 0 && recipient.acknowledged == recipient.sent) {
    loop_.Cancel(recipient.timer);
    GrantFirstLease(peer, recipient);
  }
  StopWaitingFor(peer, recipient.acknowledged);
  if (may_act_now) FinishAwaitedOf(peer);
}

void TablePusher::GrantFirstLease(const PeerId& peer, Recipient& recipient) {
  if (holds_seat_ && !holds_seat_()) return;  // RenewLeases tries again
  GrantLease(peer, recipient);
}

void TablePusher::AwaitFirstLease(const PeerId& peer, std::function<void()> then) {
  const auto found = recipients_.find(peer);
  if (found != recipients_.end() && found->second.may_act) return then();
  const auto awaited = awaited_.insert(awaited_.end(), {.peer = peer, .then = std::move(then)});
  awaited->timer = loop_.After(kStartMs, [this, awaited] { FinishAwaited(awaited); });
}

void TablePusher::FinishAwaited(std::list<Awaited>::iterator awaited) {
  loop_.Cancel(awaited->timer);
  const std::function<void()> then = std::move(awaited->then);
  awaited_.erase(awaited);
  then();
}

void TablePusher::FinishAwaitedOf(const PeerId& peer) {
  for (auto awaited = awaited_.begin(); awaited != awaited_.end();) {
    const auto current = awaited++;
    if (current->peer == peer) FinishAwaited(current);
  }
}

void TablePusher::Lost(const PeerId& peer) {
  const auto found = recipients_.find(peer);
  if (found == recipients_.end() || found->second.killed) return;
  // Usually it is dead, and the supervisor is about to say so. A process that only closed its socket must not
  // live on with its lease. Waiting a little keeps a late kill from hitting the process that comes next.
  loop_.Cancel(found->second.timer);
  found->second.timer = loop_.After(kAcknowledgeMs, [this, peer] { Kill(peer); });
}

void TablePusher::Gone(const PeerId& peer) {
  Forget(peer);
  StopWaitingFor(peer, std::numeric_limits<uint64_t>::max());
}

void TablePusher::Forget(const PeerId& peer) {
  const auto found = recipients_.find(peer);
  if (found == recipients_.end()) return;
  loop_.Cancel(found->second.timer);
  recipients_.erase(found);
}

void TablePusher::RenewLeases() {
  const int64_t now = clock_.MonotonicNanos();
  // A custodian that was itself kept from running has heard nobody, and blames nobody.
  const bool late = now - renewed_ns_ > 2 * kLeasePeriodMs * 1'000'000;
  renewed_ns_ = now;
  const bool may_lease = !holds_seat_ || holds_seat_();
  std::vector<PeerId> silent;
  for (auto& [peer, recipient] : recipients_) {
    if (recipient.killed || !links_.Has(peer)) continue;
    const bool waits = recipient.sent != 0 && recipient.acknowledged == recipient.sent;
    if (recipient.lease_until_ns == 0 && waits && may_lease) GrantFirstLease(peer, recipient);
    if (recipient.lease_until_ns == 0) continue;
    if (late || !may_lease) recipient.heard_ns = now;
    if (now - recipient.heard_ns > kSilentNs) {
      silent.push_back(peer);
    } else if (may_lease) {
      GrantLease(peer, recipient);
    }
  }
  for (const PeerId& peer : silent) {
    LogWarning("the " + std::string(process::ProcessKindName(peer.kind)) +
               " has not answered for seconds and is killed");
    Kill(peer);
  }
}

void TablePusher::GrantLease(const PeerId& peer, Recipient& recipient) {
  recipient.lease_until_ns = clock_.MonotonicNanos() + kLeaseNs;
  rpc::FromCustodian message;
  message.mutable_lease()->set_until_monotonic_ns(recipient.lease_until_ns);
  links_.Send(peer, message);
}

void TablePusher::KillSilent(std::list<Pending>::iterator pending) {
  pending->timer = 0;
  const std::map<PeerId, uint64_t> silent = pending->waiting;  // Kill may finish the push
  for (const auto& [peer, sequence] : silent) Kill(peer);
}

void TablePusher::Kill(const PeerId& peer) {
  const auto found = recipients_.find(peer);
  if (found == recipients_.end() || found->second.killed) return;
  Recipient& recipient = found->second;
  recipient.killed = true;
  loop_.Cancel(recipient.timer);
  links_.Remove(peer);
  for (Pending& pending : pending_) {
    const auto waiting = pending.waiting.find(peer);
    if (waiting != pending.waiting.end()) waiting->second = std::numeric_limits<uint64_t>::max();
  }
  // If nobody tells of its death: without a renewed lease it stops by itself.
  const int64_t left_ns = recipient.lease_until_ns - clock_.MonotonicNanos();
  recipient.timer = loop_.After(std::max<int64_t>(left_ns / 1'000'000 + 1, 1), [this, peer] { Gone(peer); });
  supervisor_.Kill(peer);
}

void TablePusher::StopWaitingFor(const PeerId& peer, uint64_t up_to_sequence) {
  for (Pending& pending : pending_) {
    const auto waiting = pending.waiting.find(peer);
    if (waiting != pending.waiting.end() && waiting->second <= up_to_sequence) pending.waiting.erase(waiting);
  }
  FinishWhereNobodyIsWaitedFor();
}

void TablePusher::FinishWhereNobodyIsWaitedFor() {
  std::list<Pending> finished;
  for (auto pending = pending_.begin(); pending != pending_.end();) {
    const auto next = std::next(pending);
    if (pending->waiting.empty()) finished.splice(finished.end(), pending_, pending);
    pending = next;
  }
  for (Pending& pending : finished) {
    loop_.Cancel(pending.timer);
    last_push_ms_ = static_cast<double>(clock_.MonotonicNanos() - pending.committed_ns) / 1e6;
    pending.done(last_push_ms_);
  }
}

}  // namespace glasscase::operations
