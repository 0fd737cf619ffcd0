#include <glasscase/operations/ledger_check.h>

#include <boost/json.hpp>

#include <glasscase/json/canonical.h>
#include <glasscase/ledger/entry.h>

#include "describe.h"
#include "ledger_entries.h"

namespace glasscase::operations {
namespace {

std::string Text(const boost::json::object& object, std::string_view name) {
  const auto* value = object.if_contains(boost::json::string_view(name.data(), name.size()));
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

void Compare(const std::string& row, const std::string& entry, const catalog::Model& model,
             const std::map<std::string, std::string>& values, const LedgerCheck::Problem& problem) {
  if (!model.secret) return;  // erased: nobody can open the commitments any more
  const auto disclosed = Disclose(entry, model.secret, values);
  for (const auto& [name, value] : values)
    if (!disclosed || !disclosed->fields.contains(name))
      problem(row, "its " + name + " is not what its entry commits to");
}

}  // namespace

Status LedgerCheck::Take(uint64_t index, std::string_view entry, const ledger::Hash& leaf) {
  leaves_.push_back(leaf);
  GC_TRY(const auto map, ledger::ReadMapEntry(entry));
  if (map) {
    if (map->size == index && map->root == map_.Root()) return Ok();
    return Fail(Error::FailedPrecondition("the map of assets in it is not that of the entries before it"));
  }
  GC_TRY(const std::vector<Uuid> assets, ledger::AssetsOf(entry));
  for (const Uuid& asset : assets) map_.Add(asset, index, leaf);
  return Note(entry);
}

Status LedgerCheck::TakeWaiting(std::string_view entry) { return Note(entry); }

Status LedgerCheck::Note(std::string_view entry) {
  GC_TRY(boost::json::value parsed, json::ParseCanonical(entry));
  if (!parsed.is_object()) return Fail(Error::InvalidArgument("it is no object"));
  const std::string asset = Text(parsed.get_object(), "asset");
  if (asset.empty()) return Ok();
  GC_TRY(const Uuid id, Uuid::Parse(asset));
  Act act{.type = Text(parsed.get_object(), "type"),
          .text = std::string(entry),
          .said = std::move(parsed.as_object())};
  acts_[id].push_back(std::move(act));
  return Ok();
}

const LedgerCheck::Act* LedgerCheck::Last(const Uuid& asset, std::string_view type, std::string_view member,
                                          std::string_view value) const {
  const auto found = acts_.find(asset);
  if (found == acts_.end()) return nullptr;
  for (auto act = found->second.rbegin(); act != found->second.rend(); ++act)
    if (act->type == type && (member.empty() || Text(act->said, member) == value)) return &*act;
  return nullptr;
}

Status LedgerCheck::CompareWithCatalog(const Problem& problem) const {
  std::set<Uuid> known;
  GC_TRY_VOID(catalog_.EachModel(std::nullopt, [&](const catalog::Model& model) -> Status {
    known.insert(model.id);
    CompareAsset(model, problem);
    GC_TRY(const auto owner, catalog_.FindSubject(model.owner));
    const std::string name = (owner ? owner->name : "") + "/" + model.name;
    GC_TRY(const auto versions, catalog_.VersionsOf(model.id));
    for (const catalog::Version& version : versions) CompareVersion(model, name, version, problem);
    return catalog_.EachGrant({.model = model.id}, [&](const catalog::Grant& grant) {
      CompareGrant(model, grant, problem);
      return Ok();
    });
  }));
  for (const auto& [asset, acts] : acts_)
    if (!known.contains(asset)) problem("asset " + asset.ToString(), "has entries and is not in the catalog");
  return Ok();
}

void LedgerCheck::CompareAsset(const catalog::Model& model, const Problem& problem) const {
  const std::string row = "catalog.db: asset " + model.id.ToString();
  const Act* act = Last(model.id, "registered", "", "");
  if (act == nullptr) return problem(row, "has no entry that registers it");
  if (Text(act->said, "kind") != KindName(model.kind)) problem(row, "its kind is not that of its entry");
  const auto owner = catalog_.FindSubject(model.owner);
  const std::string owner_name = owner && *owner ? (*owner)->name : std::string();
  Compare(row, act->text, model, {{"name", owner_name + "/" + model.name}}, problem);
}

void LedgerCheck::CompareVersion(const catalog::Model& model, const std::string& name,
                                 const catalog::Version& version, const Problem& problem) const {
  const std::string id = version.id.ToString();
  const std::string row = "catalog.db: version " + id;
  const Act* act = Last(model.id, "version", "version", id);
  if (act == nullptr) return problem(row, "has no entry");
  Compare(row, act->text, model,
          {{"label", version.label}, {"name", name}, {"sha256", ToHex(version.sha256)}}, problem);
  const bool erased = Last(model.id, "erased", "version", id) != nullptr;
  const bool retired = Last(model.id, "retired", "version", id) != nullptr;
  if (erased != (version.state == catalog::VersionState::kErased))
    problem(row, erased ? "was erased by an entry and is not in the catalog" : "is erased without an entry");
  if (!erased && retired != (version.state == catalog::VersionState::kRetired))
    problem(row,
            retired ? "was retired by an entry and is not in the catalog" : "is retired without an entry");
  const auto parents = catalog_.ParentsOf(version.id);
  const auto* lineage = act->said.if_contains("lineage");
  const size_t said = lineage != nullptr && lineage->is_array() ? lineage->get_array().size() : 0;
  if (!parents || parents->size() != said) problem(row, "its lineage is not that of its entry");
}

void LedgerCheck::CompareGrant(const catalog::Model& model, const catalog::Grant& grant,
                               const Problem& problem) const {
  const std::string id = grant.id.ToString();
  const std::string row = "catalog.db: grant " + id;
  const Act* act = Last(model.id, "grant", "grant", id);
  if (act == nullptr) {
    if (grant.revoked_micros == 0) problem(row, "has no entry");
    return;  // one that was withdrawn before there was a ledger
  }
  const auto subject = catalog_.FindSubject(grant.subject);
  Compare(row, act->text, model,
          {{"subject", subject && *subject ? (*subject)->name : std::string()}, {"terms", TermsOf(grant)}},
          problem);
  const bool withdrawn = Last(model.id, "grant-withdrawn", "grant", id) != nullptr;
  if (withdrawn != (grant.revoked_micros != 0))
    problem(row, withdrawn ? "was withdrawn by an entry and is in force in the catalog"
                           : "is withdrawn without an entry");
}

}  // namespace glasscase::operations
