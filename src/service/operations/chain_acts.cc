// The chain, as owners and operators see it: what was written for an asset, and asking for more.
#include "chain_desk.h"
#include "routes.h"

namespace glasscase::operations {
namespace {

using catalog::ChainAct;
using catalog::ChainActKind;

std::string_view NameOf(ChainActKind kind) {
  switch (kind) {
    case ChainActKind::kCheckpoint: return "checkpoint";
    case ChainActKind::kRecord: return "record";
    case ChainActKind::kChange: return "change";
    case ChainActKind::kContract: return "contract";
  }
  return "";
}

void Add(rpc::ListChainAnswer& answer, const ChainAct& act, const ledger::Anchor* anchor) {
  rpc::ChainAct* row = answer.add_acts();
  row->set_kind(std::string(NameOf(act.kind)));
  row->set_state(act.state);
  row->set_final(act.is_final);
  row->set_transaction(act.transaction);
  row->set_contract(act.contract);
  row->set_note(act.note);
  if (!act.version.IsNil()) row->set_version(act.version.ToString());
  row->set_queued_at(TimeText(act.created_micros));
  if (anchor != nullptr && act.kind == ChainActKind::kCheckpoint)
    row->set_size(static_cast<int64_t>(anchor->CheckpointSize(AsBytes(act.kept)).value_or(0)));
}

Status NeedChain(const Desk& desk) {
  if (desk.anchor != nullptr) return Ok();
  return Fail(Error::FailedPrecondition(
      "no chain is configured; `glasscase chain init` does that, on the machine of the installation"));
}

// An asset from before the chain was configured, or whose contract was refused.
Status QueueAsset(Desk& desk, catalog::Transaction& transaction, const NamedModel& named) {
  GC_TRY(const auto versions, desk.catalog.VersionsOf(named.model.id));
  if (versions.empty()) return Fail(Error::NotFound(named.FullName() + " has no version"));
  return ChainDesk::QueueRegistration(transaction, versions.front(), true);
}

}  // namespace

Result<Outcome> Anchor(Workplace& place, Act& act) {
  Desk& desk = place.desk;
  GC_TRY_VOID(NeedChain(desk));
  const std::string& text = act.request.anchor().model();
  std::optional<NamedModel> named;
  if (!text.empty()) {
    GC_TRY(named, FindOwnModel(desk, act, text));
  }
  GC_TRY_VOID(desk.Permit(act));
  GC_TRY_VOID(desk.Change([&](catalog::Transaction& transaction) {
    return named ? QueueAsset(desk, transaction, *named)
                 : ChainDesk::QueueCheckpoint(transaction, desk.now());
  }));
  Outcome outcome;
  *outcome.answer.mutable_chain() = place.describe_chain();
  return outcome;
}

Result<Outcome> ListChain(Workplace& place, Act& act) {
  Desk& desk = place.desk;
  const std::string& text = act.request.list_chain().model();
  Outcome outcome;
  rpc::ListChainAnswer& answer = *outcome.answer.mutable_chain();
  answer = place.describe_chain();
  if (text.empty()) {
    GC_TRY_VOID(desk.Permit(act));
    GC_TRY_VOID(desk.catalog.EachChainAct([&](const ChainAct& one) {
      if (one.kind == ChainActKind::kCheckpoint) Add(answer, one, desk.anchor);
      return Ok();
    }));
    return outcome;
  }
  GC_TRY(const NamedModel named, FindModel(desk, act, text));
  GC_TRY_VOID(desk.Permit(act));
  GC_TRY(const auto acts, desk.catalog.ChainActsOf(named.model.id));
  for (const ChainAct& one : acts) Add(answer, one, desk.anchor);
  return outcome;
}

}  // namespace glasscase::operations
