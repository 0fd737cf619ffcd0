#include <glasscase/operations/ledger_check.h>

#include <unordered_set>

#include <boost/json.hpp>

#include <glasscase/ledger/entry.h>

#include "describe.h"
#include "ledger_entries.h"

namespace glasscase::operations {
namespace {

std::string Text(const boost::json::object& object, std::string_view name) {
  const auto* value = object.if_contains(boost::json::string_view(name.data(), name.size()));
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

Uuid IdIn(const boost::json::object& said, std::string_view name) {
  return Uuid::Parse(Text(said, name)).value_or(Uuid{});
}

std::map<std::string, std::string> With(std::map<std::string, std::string> values, const std::string& name,
                                        const std::string& value) {
  values[name] = value;
  return values;
}

}  // namespace

Status LedgerCheck::Take(uint64_t index, std::string_view entry, const ledger::Hash& leaf) {
  leaves_.push_back(leaf);
  GC_TRY(ledger::EntryContent content, ledger::ReadEntry(entry));
  if (content.map) {
    if (content.map->size == index && content.map->root == map_.Root()) return Ok();
    return Fail(Error::FailedPrecondition("the map of assets in it is not that of the entries before it"));
  }
  for (const Uuid& asset : content.assets) map_.Add(asset, index, leaf);
  return Note(std::move(content.said));
}

Status LedgerCheck::TakeWaiting(std::string_view entry) {
  GC_TRY(ledger::EntryContent content, ledger::ReadEntry(entry));
  return Note(std::move(content.said));
}

Status LedgerCheck::Note(boost::json::object said) {
  if (!said.contains("asset")) return Ok();
  Act act{.type = Text(said, "type")};
  act.about = AboutOf(said);
  act.kind = Text(said, "kind");
  if (const auto* lineage = said.if_contains("lineage"); lineage != nullptr && lineage->is_array())
    act.parents = lineage->get_array().size();
  if (const auto* hidden = said.if_contains("hidden"); hidden != nullptr && hidden->is_object()) {
    for (const auto& field : hidden->get_object())
      act.hidden.emplace(field.key(), Text(hidden->get_object(), std::string_view(field.key())));
  }
  const Uuid asset = IdIn(said, "asset");
  if (!act.hidden.empty()) {
    GC_TRY(act.context, SaltContext(std::move(said)));
  }
  acts_[asset].push_back(std::move(act));
  return Ok();
}

const LedgerCheck::Act* LedgerCheck::Last(const Uuid& asset, std::string_view type, const Uuid& about) const {
  const auto found = acts_.find(asset);
  if (found == acts_.end()) return nullptr;
  for (auto act = found->second.rbegin(); act != found->second.rend(); ++act)
    if (act->type == type && act->about == about) return &*act;
  return nullptr;
}

void LedgerCheck::Compare(const std::string& row, const Act& act, const catalog::Model& model,
                          const std::map<std::string, std::string>& values, const Problem& problem) const {
  if (!model.secret) return;  // erased: nobody can open the commitments any more
  for (const auto& [name, value] : values) {
    const auto hidden = act.hidden.find(name);
    const ledger::Salt salt = ledger::SaltOf(*model.secret, act.context, name);
    if (hidden == act.hidden.end() || hidden->second != ToBase64(ledger::Commitment(salt, name, value)))
      problem(row, "its " + name + " is not what its entry commits to");
  }
}

const std::string& LedgerCheck::SubjectName(const Uuid& id) {
  const auto [found, is_new] = subject_names_.try_emplace(id);
  if (!is_new) return found->second;
  const auto subject = catalog_->FindSubject(id);
  if (subject && *subject) found->second = (*subject)->name;
  return found->second;
}

Status LedgerCheck::CompareWithCatalog(const catalog::Catalog& catalog, const Problem& problem,
                                       const catalog::Visitor<catalog::Version>& each_version) {
  catalog_ = &catalog;
  std::unordered_set<Uuid, UuidHash> known;
  const auto compare = [&](const catalog::Model& model) -> Status {
    known.insert(model.id);
    CompareAsset(model, problem);
    const std::string name = SubjectName(model.owner) + "/" + model.name;
    GC_TRY(const auto versions, catalog.VersionsOf(model.id));
    for (const catalog::Version& version : versions) {
      CompareVersion(model, name, version, problem);
      GC_TRY_VOID(each_version(version));
    }
    return catalog.EachGrant({.model = model.id}, [&](const catalog::Grant& grant) {
      CompareGrant(model, grant, problem);
      return Ok();
    });
  };
  GC_TRY_VOID(catalog.EachModel(std::nullopt, compare));
  for (const auto& [asset, acts] : acts_)
    if (!known.contains(asset)) problem("asset " + asset.ToString(), "has entries and is not in the catalog");
  return Ok();
}

void LedgerCheck::CompareAsset(const catalog::Model& model, const Problem& problem) {
  const std::string row = "catalog.db: asset " + model.id.ToString();
  const Act* act = Last(model.id, "registered", Uuid{});
  if (act == nullptr) return problem(row, "has no entry that registers it");
  if (act->kind != KindName(model.kind)) problem(row, "its kind is not that of its entry");
  Compare(row, *act, model, {{"name", SubjectName(model.owner) + "/" + model.name}}, problem);
  CompareDetails(model, row, problem);
}

void LedgerCheck::CompareDetails(const catalog::Model& model, const std::string& row,
                                 const Problem& problem) const {
  const auto details = HiddenOf(DetailsOf(model));
  const Act* act = Last(model.id, "card", Uuid{});
  if (act == nullptr) {
    if (!details.empty()) problem(row, "has a licence, tags, fields or a card that no entry speaks of");
    return;
  }
  if (!model.secret) return;  // as Compare
  Compare(row, *act, model, details, problem);
  for (const auto& [name, commitment] : act->hidden)
    if (!details.contains(name)) problem(row, "its entry commits to " + name + ", and it has none");
}

void LedgerCheck::CompareVersion(const catalog::Model& model, const std::string& name,
                                 const catalog::Version& version, const Problem& problem) {
  const std::string row = "catalog.db: version " + version.id.ToString();
  const Act* act = Last(model.id, "version", version.id);
  if (act == nullptr) return problem(row, "has no entry");
  Compare(row, *act, model, With(HiddenOf(version), "name", name), problem);
  const bool erased = Last(model.id, "erased", version.id) != nullptr;
  const bool retired = Last(model.id, "retired", version.id) != nullptr;
  if (erased != (version.state == catalog::VersionState::kErased))
    problem(row, erased ? "was erased by an entry and is not in the catalog" : "is erased without an entry");
  if (!erased && retired != (version.state == catalog::VersionState::kRetired))
    problem(row,
            retired ? "was retired by an entry and is not in the catalog" : "is retired without an entry");
  const auto parents = catalog_->ParentsOf(version.id);
  if (!parents || parents->size() != act->parents) problem(row, "its lineage is not that of its entry");
}

void LedgerCheck::CompareGrant(const catalog::Model& model, const catalog::Grant& grant,
                               const Problem& problem) {
  const std::string row = "catalog.db: grant " + grant.id.ToString();
  const Act* act = Last(model.id, "grant", grant.id);
  if (act == nullptr) {
    if (grant.revoked_micros == 0) problem(row, "has no entry");
    return;  // one that was withdrawn before there was a ledger
  }
  Compare(row, *act, model, {{"subject", SubjectName(grant.subject)}, {"terms", TermsOf(grant)}}, problem);
  const bool withdrawn = Last(model.id, "grant-withdrawn", grant.id) != nullptr;
  if (withdrawn != (grant.revoked_micros != 0))
    problem(row, withdrawn ? "was withdrawn by an entry and is in force in the catalog"
                           : "is withdrawn without an entry");
}

}  // namespace glasscase::operations
