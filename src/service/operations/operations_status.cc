// How the installation is, as `glasscase status` shows it.
#include <unistd.h>

#include "operations_core.h"

namespace glasscase::operations {
namespace {

constexpr size_t kItemBytesMax = 500;  // a reason with a path in it; cut shorter, it lacks what is wrong

}  // namespace

rpc::StatusAnswer Operations::Core::DescribeStatus() {
  rpc::StatusAnswer answer;
  answer.set_installation(installation_);
  answer.set_version(settings_.version);
  answer.set_started_at(TimeText(started_micros_));
  DescribeSelf(*answer.add_processes());
  for (const PeerId& peer : links_.Peers()) DescribePeer(peer, *answer.add_processes());
  const auto counts = desk_.catalog.Count(desk_.now()).value_or(catalog::Counts{});
  answer.set_subjects(counts.subjects);
  answer.set_tokens(counts.tokens);
  answer.set_grants(counts.grants);
  answer.set_models(counts.models);
  answer.set_last_push_ms(pusher_.last_push_ms());
  DescribeLedger(answer);
  answer.set_data_bytes_free(static_cast<int64_t>(desk_.blobs.BytesFree().value_or(0)));
  return answer;
}

void Operations::Core::DescribeSelf(rpc::ProcessStatus& row) {
  row.set_process("custodian");
  row.set_pid(static_cast<uint32_t>(::getpid()));
  if (const std::string trouble = runs_.TroubleOf(RunDesk::kSelf); !trouble.empty())
    row.set_note("of runs: " + trouble);
  for (const std::string& item : settings_.confinement.in_force) row.add_in_force(item);
  for (const std::string& item : settings_.confinement.missing) row.add_missing(item);
}

void Operations::Core::DescribePeer(const PeerId& peer, rpc::ProcessStatus& row) {
  const PeerLinks::Profile& profile = *links_.ProfileOf(peer);
  row.set_process(std::string(process::ProcessKindName(peer.kind)));
  row.set_pid(profile.hello.pid());
  for (const std::string& item : profile.hello.in_force()) row.add_in_force(Printable(item, kItemBytesMax));
  for (const std::string& item : profile.hello.missing()) row.add_missing(Printable(item, kItemBytesMax));
  row.set_note(peer.kind == process::ProcessKind::kWorker ? runs_.TroubleOf(peer) : profile.note);
  if (RemoteWorkers::IsRemote(peer)) row.set_process("worker " + remote_workers_.NameOf(peer));
  if (peer.kind != process::ProcessKind::kHost) return;
  const auto owner = desk_.catalog.FindOwnerOfSlot(peer.slot);
  if (owner && *owner) row.set_note((*owner)->name + (profile.note.empty() ? "" : ": " + profile.note));
}

void Operations::Core::DescribeLedger(rpc::StatusAnswer& answer) {
  answer.set_ledger_key(desk_.ledger.verifier().ToString());
  answer.set_ledger_size(static_cast<int64_t>(desk_.ledger.size()));
  answer.set_ledger_trouble(desk_.ledger.trouble());
  if (witnesses_) {
    answer.set_witness_quorum(witnesses_->QuorumText());
    answer.set_witness_trouble(witnesses_->trouble());
    answer.set_cosigned_size(static_cast<int64_t>(desk_.ledger.cosigned_size()));
  }
  if (!chain_) return;
  const rpc::ListChainAnswer chain = DescribeChain();
  answer.mutable_chain()->set_place(chain.place());
  answer.mutable_chain()->set_trouble(chain.trouble());
  if (chain.has_anchored()) *answer.mutable_chain()->mutable_anchored() = chain.anchored();
  answer.mutable_chain()->set_open(static_cast<uint32_t>(chain_->open()));
}

rpc::ListChainAnswer Operations::Core::DescribeChain() const {
  rpc::ListChainAnswer answer;
  if (!chain_) return answer;
  answer.set_place(settings_.chain);
  answer.set_trouble(chain_->trouble());
  if (const auto& anchored = chain_->anchored()) {
    answer.mutable_anchored()->set_size(static_cast<int64_t>(anchored->size));
    answer.mutable_anchored()->set_transaction(anchored->transaction);
    answer.mutable_anchored()->set_final(anchored->is_final);
  }
  return answer;
}

}  // namespace glasscase::operations
