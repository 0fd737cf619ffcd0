#include <glasscase/access/table.h>

#include <algorithm>
#include <cstring>

namespace glasscase::access {
namespace {

constexpr size_t kUuidChars = 36;

std::string FullName(const ModelRow& row) { return row.owner_name + "/" + row.name; }

void EraseOne(std::vector<Uuid>& from, const Uuid& id) {
  const auto place = std::find(from.begin(), from.end(), id);
  if (place == from.end()) return;
  *place = from.back();
  from.pop_back();
}

}  // namespace

std::string RolesText(Roles roles) {
  std::string text;
  const auto add = [&text](std::string_view role) {
    if (!text.empty()) text += ", ";
    text += role;
  };
  if ((roles & kOperator) != 0) add("operator");
  if ((roles & kOwner) != 0) add("owner");
  if ((roles & kLearner) != 0) add("learner");
  return text;
}

const VersionRow* ModelRow::FindVersion(const Uuid& wanted) const {
  for (const VersionRow& version : versions) {
    if (version.id == wanted) return &version;
  }
  return nullptr;
}

// A label wins over an identifier, so that a version labelled like a UUID can be reached.
const VersionRow* ModelRow::FindVersion(std::string_view label_or_uuid) const {
  for (const VersionRow& version : versions) {
    if (version.label == label_or_uuid) return &version;
  }
  if (label_or_uuid.size() != kUuidChars) return nullptr;
  const auto id_wanted = Uuid::Parse(label_or_uuid);
  return id_wanted ? FindVersion(*id_wanted) : nullptr;
}

// Digests of random values: eight bytes of them are a hash.
size_t AccessTable::DigestHash::operator()(const Digest& d) const noexcept {
  size_t h = 0;
  std::memcpy(&h, d.data(), sizeof h);
  return h;
}

size_t AccessTable::PairHash::operator()(const std::pair<Uuid, Uuid>& p) const noexcept {
  const UuidHash hash;
  return hash(p.first) ^ (hash(p.second) * 0x9E3779B97F4A7C15ULL);
}

size_t AccessTable::TextHash::operator()(std::string_view text) const noexcept {
  return std::hash<std::string_view>()(text);
}

void AccessTable::Apply(const TableUpdate& update) {
  if (update.reset) *this = AccessTable();
  for (const Uuid& id : update.removed_grants) RemoveGrant(id);
  for (const Uuid& id : update.removed_tokens) RemoveToken(id);
  for (const Uuid& id : update.removed_models) RemoveModel(id);
  for (const Uuid& id : update.removed_subjects) subjects_.erase(id);
  for (const SubjectRow& row : update.subjects) subjects_.insert_or_assign(row.id, row);
  for (const TokenRow& row : update.tokens) InsertToken(row);
  for (const ModelRow& row : update.models) InsertModel(row);
  for (const GrantRow& row : update.grants) InsertGrant(row);
}

void AccessTable::RemoveToken(const Uuid& id) {
  const auto place = token_digests_.find(id);
  if (place == token_digests_.end()) return;
  tokens_.erase(place->second);
  token_digests_.erase(place);
}

void AccessTable::InsertToken(const TokenRow& row) {
  RemoveToken(row.id);
  // Two tokens of one digest cannot happen; if they do, the later row must not outlive its own removal.
  if (const auto same = tokens_.find(row.digest); same != tokens_.end()) RemoveToken(same->second.id);
  tokens_.emplace(row.digest, row);
  token_digests_.emplace(row.id, row.digest);
}

void AccessTable::RemoveModel(const Uuid& id) {
  const auto place = models_.find(id);
  if (place == models_.end()) return;
  const ModelRow& row = place->second;
  const auto erase_name = [this, &id](const std::string& name) {
    const auto found = model_names_.find(name);
    if (found != model_names_.end() && found->second == id) model_names_.erase(found);
  };
  erase_name(FullName(row));
  erase_name(row.id.ToString());
  for (const VersionRow& version : row.versions) erase_name(version.id.ToString());
  if (const auto found = short_names_.find(row.name); found != short_names_.end()) {
    EraseOne(found->second, id);
    if (found->second.empty()) short_names_.erase(found);
  }
  if (const auto found = seen_models_.find(row.owner); found != seen_models_.end()) {
    EraseOne(found->second, id);
    if (found->second.empty()) seen_models_.erase(found);
  }
  models_.erase(place);
}

void AccessTable::InsertModel(const ModelRow& row) {
  RemoveModel(row.id);
  model_names_.insert_or_assign(FullName(row), row.id);
  model_names_.insert_or_assign(row.id.ToString(), row.id);
  for (const VersionRow& version : row.versions) model_names_.insert_or_assign(version.id.ToString(), row.id);
  short_names_[row.name].push_back(row.id);
  seen_models_[row.owner].push_back(row.id);
  models_.emplace(row.id, row);
}

void AccessTable::RemoveGrant(const Uuid& id) {
  const auto place = grant_places_.find(id);
  if (place == grant_places_.end()) return;
  if (const auto found = grants_.find(place->second); found != grants_.end()) {
    std::erase_if(found->second, [&id](const GrantRow& row) { return row.id == id; });
    if (found->second.empty()) grants_.erase(found);
  }
  const auto& [subject, model] = place->second;
  if (const auto found = seen_models_.find(subject); found != seen_models_.end()) {
    EraseOne(found->second, model);
    if (found->second.empty()) seen_models_.erase(found);
  }
  grant_places_.erase(place);
}

void AccessTable::InsertGrant(const GrantRow& row) {
  RemoveGrant(row.id);
  const std::pair<Uuid, Uuid> place{row.subject, row.model};
  grants_[place].push_back(row);
  seen_models_[row.subject].push_back(row.model);
  grant_places_.emplace(row.id, place);
}

const TokenRow* AccessTable::FindToken(const Digest& digest) const {
  const auto found = tokens_.find(digest);
  return found == tokens_.end() ? nullptr : &found->second;
}

const SubjectRow* AccessTable::FindSubject(const Uuid& id) const {
  const auto found = subjects_.find(id);
  return found == subjects_.end() ? nullptr : &found->second;
}

const ModelRow* AccessTable::FindModel(const Uuid& id) const {
  const auto found = models_.find(id);
  return found == models_.end() ? nullptr : &found->second;
}

const ModelRow* AccessTable::FindModel(std::string_view full_name_or_uuid) const {
  auto found = model_names_.find(full_name_or_uuid);
  if (found == model_names_.end() && full_name_or_uuid.size() == kUuidChars) {
    const auto id = Uuid::Parse(full_name_or_uuid);  // upper-case digits
    if (id) found = model_names_.find(id->ToString());
  }
  return found == model_names_.end() ? nullptr : FindModel(found->second);
}

const std::vector<Uuid>& AccessTable::ModelsCalled(std::string_view short_name) const {
  static const std::vector<Uuid> kNone;
  const auto found = short_names_.find(short_name);
  return found == short_names_.end() ? kNone : found->second;
}

const std::vector<GrantRow>& AccessTable::Grants(const Uuid& subject, const Uuid& model) const {
  static const std::vector<GrantRow> kNone;
  const auto found = grants_.find(std::pair<Uuid, Uuid>(subject, model));
  return found == grants_.end() ? kNone : found->second;
}

std::vector<const ModelRow*> AccessTable::ModelsOf(const Uuid& subject) const {
  std::vector<const ModelRow*> models;
  const auto found = seen_models_.find(subject);
  if (found == seen_models_.end()) return models;
  std::vector<Uuid> ids = found->second;
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  for (const Uuid& id : ids) {
    if (const ModelRow* model = FindModel(id)) models.push_back(model);
  }
  return models;
}

}  // namespace glasscase::access
