// Models: shown, their default chosen, their versions retired and erased.
#include "models.h"

#include <algorithm>

#include <glasscase/core/log.h>

#include "describe.h"
#include "evidence.h"
#include "ledger_entries.h"
#include "ledger_state.h"
#include "lineage.h"
#include "routes.h"
#include "run_desk.h"
#include "visibility.h"

namespace glasscase::operations {
namespace {

using catalog::VersionState;

Error NameAVersion() { return Error::InvalidArgument("name the version, as in NAME@VERSION"); }

// The caller's own model and one of its versions.
Result<NamedModel> FindOwnVersion(Desk& desk, Act& act, const std::string& model,
                                  const std::string& version) {
  act.object = model + (version.empty() ? "" : "@" + version);
  GC_TRY(NamedModel named, FindOwnModel(desk, act, act.object));
  if (!named.version) return Fail(NameAVersion());
  return named;
}

// Takes a version out of use. When it was the default that the owner had set, the newest of the rest takes
// its place.
Status TakeOutOfUse(Desk& desk, const NamedModel& named, VersionState state) {
  const bool erased = state == VersionState::kErased;
  const std::string note = (erased ? "erased at " : "retired at ") + TimeText(desk.now());
  GC_TRY(const auto versions, desk.catalog.VersionsOf(named.model.id));
  const bool nothing_left =
      std::all_of(versions.begin(), versions.end(), [&](const catalog::Version& version) {
        return version.id == named.version->id || version.state == VersionState::kErased;
      });
  return desk.Change([&](catalog::Transaction& t) -> Status {
    GC_TRY_VOID(t.SetVersionState(named.version->id, state, note));
    if (named.model.default_version == named.version->id)
      GC_TRY_VOID(t.SetDefaultVersion(named.model.id, Uuid{}));
    if (erased && nothing_left) GC_TRY_VOID(t.EraseModelSecret(named.model.id));
    EntryDraft entry(erased ? "erased" : "retired", named.model, desk.now());
    return entry.About(*named.version).Queue(t);
  });
}

}  // namespace

void DescribeLedgerState(Desk& desk, const Uuid& asset, rpc::Model& message) {
  const auto states = LedgerStates::Read(desk.catalog, desk.ledger);
  if (!states) return;
  message.set_ledger_state(WordOf(states->Of(asset)));
  for (rpc::Version& version : *message.mutable_versions())
    version.set_ledger_state(WordOf(states->Of(asset, Uuid::Parse(version.id()).value())));
}

Result<rpc::Model> DescribeFor(Desk& desk, const Act& act, const NamedModel& named, Shown shown) {
  GC_TRY(const auto versions, desk.catalog.VersionsOf(named.model.id));
  GC_TRY(const auto visible, VisibleVersions(desk, act, named.model, versions));
  rpc::Model message = Describe(named.model, named.owner.name, versions);
  const catalog::Version* by_default = DefaultVersion(named.model, versions);
  const bool sees_default =
      by_default != nullptr &&
      std::any_of(visible.begin(), visible.end(), [&](const auto& v) { return v.id == by_default->id; });
  if (!sees_default) message.clear_default_version();
  if (shown.with_card) message.set_card(named.model.card);
  if (sees_default && shown.with_card && named.model.card.empty()) message.set_card(by_default->card);
  for (const catalog::Version& version : visible)
    if (!named.version || named.version->id == version.id) {
      *message.add_versions() = Describe(version);
      if (!shown.with_card) continue;
      GC_TRY_VOID(DescribeLineage(desk, act, version.id, *message.mutable_versions()->rbegin()));
      GC_TRY_VOID(DescribeEvidence(desk, version.id, *message.mutable_versions()->rbegin()));
    }
  if (shown.with_ledger_state) DescribeLedgerState(desk, named.model.id, message);
  return message;
}

Result<Outcome> ModelAnswer(Desk& desk, const Act& act, const Uuid& model, Shown shown) {
  GC_TRY(const auto fresh, desk.catalog.FindModel(model));
  Outcome outcome;
  GC_TRY(*outcome.answer.mutable_model(),
         DescribeFor(desk, act, {.model = *fresh, .owner = *act.caller, .version = {}}, shown));
  outcome.change.models.push_back(model);
  return outcome;
}

std::vector<Digest> DigestsOf(const std::vector<catalog::VersionFile>& files) {
  std::vector<Digest> digests;
  digests.reserve(files.size());
  for (const catalog::VersionFile& file : files) digests.push_back(file.sha256);
  return digests;
}

void RemoveUnusedBlobs(Desk& desk, const std::vector<Digest>& blobs,
                       std::function<void(const Status&)> then) {
  struct Found {
    std::vector<Digest> unused;
    Status looked;
  };
  const auto found = std::make_shared<Found>();
  const auto look = [&desk, blobs, found]() -> Status {
    GC_TRY_VOID(desk.CheckSeat());  // the bytes of another one's publish come before its rows
    for (const Digest& sha256 : blobs) {
      GC_TRY(const bool used, desk.catalog.BlobIsUsed(sha256));
      if (used) continue;
      LogInfo("removing bytes that no version uses: " + ToHex(sha256));
      found->unused.push_back(sha256);
    }
    return Ok();
  };
  const auto remove = [&store = desk.blobs, found]() -> Status {
    for (const Digest& sha256 : found->unused) GC_TRY_VOID(store.Remove(sha256));
    return Ok();
  };
  desk.store_changes.Do(
      {.begin = [look, found] { return (found->looked = look()).has_value(); },
       .work = remove,
       .then = [then = std::move(then),
                found](const Status& removed) { then(found->looked ? removed : found->looked); }});
}

Result<Outcome> ShowModel(Workplace& place, Act& act) {
  Desk& desk = place.desk;
  GC_TRY(const NamedModel named, FindModel(desk, act, act.request.show_model().model()));
  Outcome outcome;
  GC_TRY(*outcome.answer.mutable_model(), DescribeFor(desk, act, named, {.with_card = true}));
  if (named.version && outcome.answer.model().versions().empty())
    return act.Refuse(
        access::Reason::kVersionNotGranted,
        Error::NotFound(named.FullName() + " has no version \"" + named.version->label +
                        "\" that you may see; `glasscase show " + named.FullName() + "` lists those"));
  act.reason = named.owner.id == act.caller->id ? access::Reason::kAllowedToOwner
               : act.Is(access::kOperator)      ? access::Reason::kAllowedByRole
                                                : access::Reason::kAllowedByGrant;
  GC_TRY_VOID(desk.Permit(act));
  return outcome;
}

Result<Outcome> SetDefault(Workplace& place, Act& act) {
  Desk& desk = place.desk;
  const rpc::SetDefaultRequest& request = act.request.set_default();
  GC_TRY(const NamedModel named, FindOwnVersion(desk, act, request.model(), request.version()));
  const catalog::Version& version = *named.version;
  if (version.state == VersionState::kRetired || version.state == VersionState::kErased)
    return Fail(
        Error::FailedPrecondition(named.FullName() + "@" + version.label +
                                  " cannot be called any more; publish its bytes under another --version"));
  GC_TRY_VOID(desk.Permit(act));
  const auto change = [&](catalog::Transaction& t) -> Status {
    GC_TRY_VOID(t.SetDefaultVersion(named.model.id, version.id));
    if (version.state != VersionState::kDisabled) return Ok();
    // The owner's word that it shall be tried again.
    GC_TRY_VOID(t.SetVersionFaults(version.id, 0));
    return t.SetVersionState(version.id, VersionState::kPublished, "");
  };
  GC_TRY_VOID(desk.Change(change));
  return ModelAnswer(desk, act, named.model.id);
}

Result<Outcome> Retire(Workplace& place, Act& act) {
  Desk& desk = place.desk;
  const rpc::RetireRequest& request = act.request.retire();
  GC_TRY(const NamedModel named, FindOwnVersion(desk, act, request.model(), request.version()));
  GC_TRY_VOID(desk.Permit(act));
  const bool in_use =
      named.version->state != VersionState::kRetired && named.version->state != VersionState::kErased;
  if (in_use) GC_TRY_VOID(TakeOutOfUse(desk, named, VersionState::kRetired));
  place.runs.CancelThoseWithoutRights();
  return ModelAnswer(desk, act, named.model.id);
}

Result<Outcome> Erase(Workplace& place, Act& act) {
  Desk& desk = place.desk;
  const rpc::EraseRequest& request = act.request.erase();
  GC_TRY(const NamedModel named, FindOwnVersion(desk, act, request.model(), request.version()));
  GC_TRY_VOID(desk.Permit(act));
  if (named.version->state != VersionState::kErased)
    GC_TRY_VOID(TakeOutOfUse(desk, named, VersionState::kErased));
  place.runs.CancelThoseWithoutRights();
  GC_TRY(Outcome outcome, ModelAnswer(desk, act, named.model.id));
  // Bytes that a crash leaves here belong to no version and go at the next start.
  outcome.finish = [&desk, version = named.version->id](std::function<void(const Status&)> then) {
    const auto files = desk.catalog.FilesOf(version);
    if (!files) return then(Fail(files.error()));
    RemoveUnusedBlobs(desk, DigestsOf(*files), std::move(then));
  };
  return outcome;
}

}  // namespace glasscase::operations
