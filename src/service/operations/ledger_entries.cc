#include "ledger_entries.h"

#include <algorithm>

#include <boost/json.hpp>

#include <glasscase/crypto/sha256.h>
#include <glasscase/json/canonical.h>
#include <glasscase/ledger/tile.h>

#include "describe.h"
#include "desk.h"

namespace glasscase::operations {
namespace {

constexpr int64_t kEntryVersion = 1;

void SetText(boost::json::object& object, std::string_view name, std::string_view value) {
  object[boost::json::string_view(name.data(), name.size())] =
      boost::json::string_view(value.data(), value.size());
}

// Only text that is not UTF-8 has no canonical form: that of a damaged row, which then is what no entry says.
std::string Canonical(const boost::json::value& value) {
  return json::WriteCanonical(value).value_or(std::string());
}

std::string FieldsText(const std::vector<catalog::Field>& fields) {
  boost::json::object object;
  for (const catalog::Field& field : fields) SetText(object, field.key, field.value);
  return Canonical(object);
}

struct RelationWord {
  catalog::Relation relation;
  std::string_view word;
};
constexpr RelationWord kRelations[] = {{catalog::Relation::kDerivedFrom, "derived_from"},
                                       {catalog::Relation::kTrainedOn, "trained_on"},
                                       {catalog::Relation::kTestedOn, "tested_on"},
                                       {catalog::Relation::kTranslatedFrom, "translated_from"},
                                       {catalog::Relation::kReleasedAs, "released_as"}};

}  // namespace

Uuid AboutOf(const boost::json::object& said) {
  // A grant may name the version that it is for.
  const auto* const id = said.if_contains(said.contains("grant") ? "grant" : "version");
  if (id == nullptr || !id->is_string()) return Uuid{};
  return Uuid::Parse(std::string_view(id->get_string())).value_or(Uuid{});
}

Result<std::string> SaltContext(boost::json::object said) {
  said.erase("hidden");
  return json::WriteCanonical(said);
}

std::string_view RelationName(catalog::Relation relation) {
  for (const RelationWord& row : kRelations)
    if (row.relation == relation) return row.word;
  return "";
}

std::optional<catalog::Relation> RelationCalled(std::string_view name) {
  for (const RelationWord& row : kRelations)
    if (row.word == name) return row.relation;
  return std::nullopt;
}

EntryDraft::EntryDraft(std::string_view type, const catalog::Model& asset, int64_t now_micros)
    : EntryDraft(type, now_micros) {
  secret_ = asset.secret;
  assets_ = {asset.id};
  SetText(said_, "asset", asset.id.ToString());
}

EntryDraft::EntryDraft(std::string_view type, int64_t now_micros) {
  SetText(said_, "type", type);
  said_["at"] = now_micros;
  said_["v"] = kEntryVersion;
}

EntryDraft& EntryDraft::Say(std::string_view name, std::string_view value) {
  SetText(said_, name, value);
  return *this;
}

EntryDraft& EntryDraft::Hide(std::string_view name, std::string_view value) {
  hidden_.emplace(name, value);
  return *this;
}

EntryDraft& EntryDraft::About(const catalog::Version& version) {
  return Say("version", version.id.ToString());
}

EntryDraft& EntryDraft::From(const catalog::Lineage& edge, const Uuid& parents_asset) {
  if (!said_.contains("lineage")) said_["lineage"] = boost::json::array();
  boost::json::object parent;
  SetText(parent, "by", edge.witnessed ? "witnessed" : "claimed");
  SetText(parent, "relation", RelationName(edge.relation));
  SetText(parent, "version", edge.parent.ToString());
  said_["lineage"].as_array().push_back(std::move(parent));
  if (std::find(assets_.begin(), assets_.end(), parents_asset) == assets_.end()) {
    assets_.push_back(parents_asset);
    if (!said_.contains("also")) said_["also"] = boost::json::array();
    said_["also"].as_array().push_back(boost::json::string(parents_asset.ToString()));
  }
  return *this;
}

EntryDraft& EntryDraft::After(const ledger::Checkpoint& last) {
  boost::json::object before;
  SetText(before, "origin", last.origin);
  SetText(before, "root", ToBase64(last.root));
  before["size"] = last.size;
  said_["before"] = std::move(before);
  return *this;
}

Status EntryDraft::Queue(catalog::Transaction& transaction) const {
  boost::json::object entry = said_;
  if (!hidden_.empty() && secret_) {
    GC_TRY(const std::string context, SaltContext(said_));
    boost::json::object hidden;
    for (const auto& [name, value] : hidden_)
      SetText(hidden, name,
              ToBase64(ledger::Commitment(ledger::SaltOf(*secret_, context, name), name, value)));
    entry["hidden"] = std::move(hidden);
  }
  GC_TRY(const std::string text, json::WriteCanonical(entry));
  if (text.size() > ledger::kEntryBytesMax)
    return Fail(Error::ResourceExhausted(
        "the ledger's entry of this act would be too long: " + std::to_string(text.size()) +
        " bytes, at most " + std::to_string(ledger::kEntryBytesMax)));
  return transaction.QueueEntry(text, assets_);
}

EntryDraft RegisteredEntry(const catalog::Model& asset, std::string_view full_name, int64_t now_micros) {
  EntryDraft draft("registered", asset, now_micros);
  draft.Say("kind", KindName(asset.kind)).Hide("name", full_name);
  return draft;
}

EntryDraft VersionEntry(const catalog::Model& asset, std::string_view full_name,
                        const catalog::Version& version, int64_t now_micros) {
  EntryDraft draft("version", asset, now_micros);
  draft.About(version).Hide("name", full_name);
  for (const auto& [name, value] : HiddenOf(version)) draft.Hide(name, value);
  return draft;
}

EntryDraft CardEntry(const catalog::Model& asset, const catalog::ModelDetails& details, int64_t now_micros) {
  EntryDraft draft("card", asset, now_micros);
  for (const auto& [name, value] : HiddenOf(details)) draft.Hide(name, value);
  return draft;
}

std::map<std::string, std::string> HiddenOf(const catalog::Version& version) {
  std::map<std::string, std::string> hidden = {{"label", version.label}, {"sha256", ToHex(version.sha256)}};
  if (!version.fields.empty()) hidden["fields"] = FieldsText(version.fields);
  return hidden;
}

std::map<std::string, std::string> HiddenOf(const catalog::ModelDetails& details) {
  std::map<std::string, std::string> hidden;
  if (!details.card.empty()) hidden["sha256"] = ToHex(Sha256(AsBytes(details.card)));
  if (!details.fields.empty()) hidden["fields"] = FieldsText(details.fields);
  if (!details.licence.empty()) hidden["licence"] = details.licence;
  if (!details.tags.empty()) hidden["tags"] = Canonical(boost::json::value_from(details.tags));
  return hidden;
}

std::string TermsOf(const catalog::Grant& grant) {
  std::string terms = grant.action;
  if (grant.quota) terms += " " + grant.quota->ToString();
  if (grant.expires_micros != 0) terms += " until " + TimeText(grant.expires_micros);
  return terms;
}

EntryDraft GrantEntry(const catalog::Model& asset, const catalog::Grant& grant, std::string_view subject,
                      int64_t now_micros) {
  EntryDraft draft("grant", asset, now_micros);
  if (!grant.version.IsNil()) draft.Say("version", grant.version.ToString());
  draft.Say("grant", grant.id.ToString()).Hide("subject", subject).Hide("terms", TermsOf(grant));
  return draft;
}

EntryDraft GrantWithdrawnEntry(const catalog::Model& asset, const Uuid& grant, int64_t now_micros) {
  EntryDraft draft("grant-withdrawn", asset, now_micros);
  draft.Say("grant", grant.ToString());
  return draft;
}

Result<ledger::Disclosure> Disclose(const std::string& entry, const std::optional<Digest>& secret,
                                    const std::map<std::string, std::string>& values) {
  GC_TRY(const boost::json::value parsed, json::ParseCanonical(entry));
  ledger::Disclosure disclosure{.entry = entry, .fields = {}};
  const auto* hidden = parsed.is_object() ? parsed.get_object().if_contains("hidden") : nullptr;
  if (hidden == nullptr || !hidden->is_object() || !secret) return disclosure;
  GC_TRY(const std::string context, SaltContext(parsed.get_object()));
  for (const auto& [name, value] : values) {
    const auto* commitment = hidden->get_object().if_contains(name);
    const ledger::Salt salt = ledger::SaltOf(*secret, context, name);
    const std::string expected = ToBase64(ledger::Commitment(salt, name, value));
    if (commitment == nullptr || !commitment->is_string() || commitment->get_string() != expected) continue;
    disclosure.fields[name] = {.salt = salt, .value = value};
  }
  return disclosure;
}

}  // namespace glasscase::operations
