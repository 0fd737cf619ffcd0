#include "chain_desk.h"

#include <glasscase/core/log.h>
#include <glasscase/ledger/merkle.h>

namespace glasscase::operations {
namespace {

using catalog::ChainAct;
using catalog::ChainActKind;
using ledger::SubmissionState;

// When the last checkpoint was queued by itself or by an operator, in microseconds.
constexpr std::string_view kAnchoredSetting = "chain_anchored";

bool IsPassing(const Error& error) {
  return error.code() == Code::kUnavailable || error.code() == Code::kDeadlineExceeded ||
         error.code() == Code::kFailedPrecondition || error.code() == Code::kResourceExhausted;
}

ledger::AssetKind KindOf(catalog::AssetKind kind) {
  return kind == catalog::AssetKind::kModel ? ledger::AssetKind::kModel : ledger::AssetKind::kDataset;
}

void Take(ChainAct& act, const ledger::SubmissionStatus& status) {
  act.transaction = status.transaction;
  act.note = status.reason;
  switch (status.state) {
    case SubmissionState::kUnknown:
    case SubmissionState::kPending: act.state = "sent"; break;
    case SubmissionState::kMined:
      act.state = "written";
      act.contract = status.contract;
      break;
    case SubmissionState::kRefused: act.state = "refused"; break;
    case SubmissionState::kDisplaced:
      act.state = "waiting";
      if (status.final) act.kept.clear();  // to be prepared anew
      return;
  }
  act.is_final = status.final;
}

}  // namespace

ChainDesk::ChainDesk(process::EventLoop& loop, const Clock& clock, catalog::Catalog& catalog,
                     LedgerDesk& ledger, ledger::Anchor& anchor, int64_t anchor_every_s)
    : loop_(loop),
      clock_(clock),
      catalog_(catalog),
      ledger_(ledger),
      anchor_(anchor),
      anchor_every_micros_(anchor_every_s * 1'000'000) {
  ledger_.Hold();
  const Status found = FindAnchored();
  if (!found) LogError("chain: " + found.error().message());
  AskForLastCheckpoint();
  timer_ = loop_.Every(kLookMs, [this] { Look(); });
}

ChainDesk::~ChainDesk() { loop_.Cancel(timer_); }

Status ChainDesk::QueueRegistration(catalog::Transaction& transaction, const catalog::Version& version,
                                    bool is_new_asset) {
  ChainAct act{.id = Uuid::Random(),
               .kind = is_new_asset ? ChainActKind::kRecord : ChainActKind::kChange,
               .asset = version.model,
               .version = version.id,
               .created_micros = version.created_micros};
  GC_TRY_VOID(transaction.InsertChainAct(act));
  if (!is_new_asset) return Ok();
  act.id = Uuid::Random();
  act.kind = ChainActKind::kContract;
  return transaction.InsertChainAct(act);
}

Status ChainDesk::QueueCheckpoint(catalog::Transaction& transaction, int64_t now_micros) {
  GC_TRY_VOID(transaction.InsertChainAct(
      {.id = Uuid::Random(), .kind = ChainActKind::kCheckpoint, .created_micros = now_micros}));
  return transaction.SetSetting(kAnchoredSetting, std::to_string(now_micros));
}

Status ChainDesk::FindAnchored() {
  std::vector<ChainAct> checkpoints;
  GC_TRY_VOID(catalog_.EachChainAct([&](const ChainAct& act) {
    if (act.kind == ChainActKind::kCheckpoint && act.state == "written") checkpoints.push_back(act);
    return Ok();
  }));
  NoteAnchored(checkpoints);
  return Ok();
}

// What can still be taken back is forgotten again when it is.
void ChainDesk::NoteAnchored(const std::vector<ChainAct>& acts) {
  anchored_ = anchored_for_good_;
  for (const ChainAct& act : acts) {
    if (act.kind != ChainActKind::kCheckpoint || act.state != "written") continue;
    const auto size = anchor_.CheckpointSize(AsBytes(act.kept));
    if (!size || (anchored_ && *size < anchored_->size)) continue;
    anchored_ = Anchored{.size = *size, .transaction = act.transaction, .is_final = act.is_final};
    if (act.is_final) anchored_for_good_ = anchored_;
  }
}

void ChainDesk::AskForLastCheckpoint() {
  using Answer = Result<std::optional<ledger::AnchorCheckpoint>>;
  auto answer = std::make_shared<std::optional<Answer>>();
  job_ = std::make_unique<SideJob>(
      loop_,
      [answer, origin = ledger_.verifier().name(), &anchor = anchor_] {
        answer->emplace(anchor.LastCheckpoint(origin, ledger::AnchorView::kNewest));
      },
      [this, answer] {
        job_.reset();
        const Answer& last = **answer;
        if (!last) {
          trouble_ = last.error().message();
          LogWarning("chain: " + trouble_);
        } else if (const auto log = ledger_.log(); log && *last && (*last)->size > (*log)->size()) {
          ledger_.Refuse(
              Error::FailedPrecondition("the chain has a checkpoint of " + std::to_string((*last)->size) +
                                        " entries of this log, which has " + std::to_string((*log)->size()) +
                                        ": an old state was put back"));
        }
        ledger_.Release();
      });
}

void ChainDesk::Look() {
  if (job_ || NowMillis() < not_before_ms_ || !ledger_.HoldsSeat()) return;
  QueueCheckpointWhenDue();
  auto open = catalog_.OpenChainActs();
  if (!open) return LogError("chain: " + open.error().message());
  open_ = open->size();
  if (open->empty()) return;
  auto round = std::make_shared<Round>();
  round->acts = *open;
  round->resubmit = resubmit_;
  for (const auto& [id, since] : pending_since_ms_)
    if (NowMillis() - since > kReplaceAfterMs) round->replace.insert(id);
  for (size_t i = 0; i < open->size() && !round->prepare; ++i) {
    if (!(*open)[i].kept.empty()) continue;
    auto act = ActFor((*open)[i]);
    if (!act) break;  // its entry is not published yet; those behind it keep their order
    round->prepare = i;
    round->act = *std::move(act);
  }
  job_ = std::make_unique<SideJob>(
      loop_, [round, &anchor = anchor_] { Work(*round, anchor); },
      [this, round, before = *std::move(open)] {
        job_.reset();
        End(before, *round);
      });
}

void ChainDesk::QueueCheckpointWhenDue() {
  const auto log = ledger_.log();
  if (anchor_every_micros_ == 0 || !log || (*log)->size() == 0) return;
  const auto last = catalog_.Setting(kAnchoredSetting);
  if (!last) return;
  const int64_t now = clock_.WallMicros();
  if (*last && now - std::strtoll((*last)->c_str(), nullptr, 10) < anchor_every_micros_) return;
  auto transaction = catalog_.Begin();
  if (!transaction) return;
  Status queued = QueueCheckpoint(**transaction, now);
  if (queued) queued = (*transaction)->Commit();
  if (!queued) LogError("chain: " + queued.error().message());
}

// ---- what is written ----

Result<ledger::AnchorAct> ChainDesk::ActFor(const ChainAct& act) {
  GC_TRY(ledger::Log * log, ledger_.log());
  if (act.kind == ChainActKind::kCheckpoint)
    return ledger::AnchorCheckpoint{
        .origin = log->checkpoint().origin, .size = log->checkpoint().size, .root = log->checkpoint().root};
  GC_TRY(const uint64_t index, ledger_.FindVersionEntry(act.asset, act.version));
  GC_TRY(const std::string entry, log->EntryAt(index));
  // The entry holds salted commitments: its hash tells nothing to who was told nothing.
  const Digest commitment = ledger::HashLeaf(AsBytes(entry));
  GC_TRY(const auto asset, catalog_.FindModel(act.asset));
  if (!asset) return Fail(Error::NotFound("the asset is gone"));
  if (act.kind == ChainActKind::kRecord)
    return ledger::AssetRecord{
        .asset = act.asset, .kind = KindOf(asset->kind), .commitment = commitment, .log_index = index};
  if (act.kind == ChainActKind::kChange)
    return ledger::AssetChange{.asset = act.asset, .commitment = commitment, .log_index = index};
  return ContractFor(act, *asset, commitment, index);
}

Result<ledger::AnchorAct> ChainDesk::ContractFor(const ChainAct& act, const catalog::Model& asset,
                                                 const Digest& commitment, uint64_t index) {
  if (asset.kind == catalog::AssetKind::kDataset)
    return ledger::DatasetContract{.asset = act.asset, .commitment = commitment, .log_index = index};
  ledger::ModelContract contract{.asset = act.asset, .commitment = commitment, .log_index = index};
  GC_TRY(const auto parents, catalog_.ParentsOf(act.version));
  for (const catalog::Lineage& edge : parents) {
    GC_TRY(const auto parent, catalog_.FindVersion(edge.parent));
    if (!parent) continue;
    if (edge.relation == catalog::Relation::kTrainedOn) contract.trained_on = parent->model;
    if (edge.relation == catalog::Relation::kTestedOn) contract.tested_with = parent->model;
  }
  return contract;
}

// ---- on the other thread ----

void ChainDesk::Work(Round& round, ledger::Anchor& anchor) {
  for (ChainAct& act : round.acts) {
    if (act.kept.empty()) continue;
    if (round.replace.contains(act.id)) {
      auto replaced = anchor.Replace(AsBytes(act.kept));
      if (replaced) act.kept = AsText(*replaced);
      if (replaced) round.replaced.insert(act.id);
      // What was sent stays valid, and may be written yet.
      if (!replaced && replaced.error().code() == Code::kResourceExhausted) round.trouble = replaced.error();
    }
    const Status followed = round.replaced.contains(act.id)
                                ? Ok()  // durable first
                                : Follow(act, anchor, round.resubmit.contains(act.id));
    if (followed) continue;
    round.trouble = followed.error();
    return;
  }
  const Status prepared = Prepare(round, anchor);
  if (!prepared) round.trouble = prepared.error();
}

Status ChainDesk::Follow(ChainAct& act, ledger::Anchor& anchor, bool resubmit) {
  GC_TRY(ledger::SubmissionStatus status, anchor.Poll(AsBytes(act.kept)));
  if (status.state == SubmissionState::kUnknown || resubmit) {
    GC_TRY_VOID(anchor.Submit(AsBytes(act.kept)));
    GC_TRY(status, anchor.Poll(AsBytes(act.kept)));
  }
  Take(act, status);
  return Ok();
}

Status ChainDesk::Prepare(Round& round, ledger::Anchor& anchor) {
  if (!round.prepare) return Ok();
  ChainAct& act = round.acts[*round.prepare];
  if (act.kind == ChainActKind::kContract) {
    const bool is_model = std::holds_alternative<ledger::ModelContract>(*round.act);
    GC_TRY(const auto there,
           anchor.ContractsOf(act.asset, is_model ? ledger::AssetKind::kModel : ledger::AssetKind::kDataset,
                              ledger::AnchorView::kNewest));
    if (!there.empty()) {  // of an outbox that a backup has forgotten
      act.state = "written";
      act.contract = there.front();
      act.is_final = true;
      return Ok();
    }
  }
  std::vector<Bytes> open;
  for (const ChainAct& other : round.acts)
    if (!other.kept.empty() && !other.is_final)
      open.emplace_back(AsBytes(other.kept).begin(), AsBytes(other.kept).end());
  auto kept = anchor.Prepare(*round.act, open);
  if (kept) {
    act.kept = AsText(*kept);
    act.note.clear();
    return Ok();
  }
  if (IsPassing(kept.error())) return Fail(kept.error());
  act.state = kept.error().code() == Code::kAlreadyExists ? "written" : "refused";
  act.note = kept.error().message();
  act.is_final = true;
  return Ok();
}

// ---- back on the loop ----

void ChainDesk::End(const std::vector<ChainAct>& before, const Round& round) {
  if (!ledger_.HoldsSeat()) return;  // another one may have gone on with these acts
  const Status saved = Save(before, round.acts);
  if (!saved) {
    LogError("chain: " + saved.error().message());
    return;  // nothing of it was sent that is not kept
  }
  resubmit_ = round.replaced;
  NoteAnchored(round.acts);
  for (const ChainAct& act : round.acts) {
    if (act.state != "sent" || act.is_final || round.replaced.contains(act.id))
      pending_since_ms_.erase(act.id);
    else
      pending_since_ms_.try_emplace(act.id, NowMillis());
  }
  const std::string trouble = round.trouble ? round.trouble->message() : "";
  if (!trouble.empty() && trouble != trouble_) LogWarning("chain: " + trouble);
  trouble_ = trouble;
  if (round.trouble) not_before_ms_ = NowMillis() + kPauseMs;
}

Status ChainDesk::Save(const std::vector<ChainAct>& before, const std::vector<ChainAct>& after) {
  if (before == after) return Ok();
  GC_TRY(auto transaction, catalog_.Begin());
  for (size_t i = 0; i < after.size(); ++i)
    if (before[i] != after[i]) GC_TRY_VOID(transaction->SetChainAct(after[i]));
  return transaction->Commit();
}

}  // namespace glasscase::operations
