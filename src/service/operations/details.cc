#include "details.h"

#include <algorithm>

#include "ledger_entries.h"
#include "models.h"
#include "names.h"
#include "routes.h"

namespace glasscase::operations {
namespace {

using catalog::Field;
using catalog::ModelDetails;

bool IsKey(const Field& field, std::string_view key) { return field.key == key; }

void SetField(std::vector<Field>& fields, const Field& field) {
  const auto place = std::lower_bound(fields.begin(), fields.end(), field,
                                      [](const Field& a, const Field& b) { return a.key < b.key; });
  if (place != fields.end() && IsKey(*place, field.key)) {
    place->value = field.value;
  } else {
    fields.insert(place, field);
  }
}

Status CheckCounts(const ModelDetails& details) {
  if (details.tags.size() > kTagsMax)
    return Fail(Error::InvalidArgument("tags: at most " + std::to_string(kTagsMax)));
  if (details.fields.size() > kFieldsMax)
    return Fail(Error::InvalidArgument("fields: at most " + std::to_string(kFieldsMax)));
  return Ok();
}

Status EditTags(const rpc::EditModelRequest& request, std::vector<std::string>& tags) {
  for (const std::string& tag : request.tag()) {
    GC_TRY_VOID(CheckTag(tag));
    if (std::find(tags.begin(), tags.end(), tag) == tags.end()) tags.push_back(tag);
  }
  for (const std::string& tag : request.untag())
    if (std::erase(tags, tag) == 0)
      return Fail(Error::NotFound("untag: it has no tag \"" + Printable(tag) + "\""));
  return Ok();
}

Status EditFields(const rpc::EditModelRequest& request, std::vector<Field>& fields) {
  for (const rpc::Field& row : request.field()) {
    const Field field{.key = row.key(), .value = row.value()};
    GC_TRY_VOID(CheckField(field));
    SetField(fields, field);
  }
  for (const std::string& key : request.unfield())
    if (std::erase_if(fields, [&](const Field& field) { return IsKey(field, key); }) == 0)
      return Fail(Error::NotFound("unfield: it has no field \"" + Printable(key) + "\""));
  return Ok();
}

Result<ModelDetails> Edited(const rpc::EditModelRequest& request, ModelDetails details) {
  if (request.has_card()) {
    GC_TRY_VOID(CheckCard(request.card()));
    details.card = request.card();
  }
  if (request.has_licence()) {
    GC_TRY_VOID(CheckLicence(request.licence()));
    details.licence = request.licence();
  }
  GC_TRY_VOID(EditTags(request, details.tags));
  GC_TRY_VOID(EditFields(request, details.fields));
  GC_TRY_VOID(CheckCounts(details));
  return details;
}

}  // namespace

Status CheckCard(std::string_view card) {
  if (card.size() > kCardBytesMax)
    return Fail(Error::InvalidArgument("card: at most 256 KiB, and it has " + std::to_string(card.size()) +
                                       " bytes; put what is longer into a file of the version"));
  if (!IsUtf8(card) || card.find('\0') != card.npos)
    return Fail(Error::InvalidArgument("card: must be text in UTF-8"));
  return Ok();
}

Status CheckLicence(std::string_view licence) { return CheckWords("licence", licence, kLicenceBytesMax); }

Status CheckTag(std::string_view tag) {
  if (tag.empty()) return Fail(Error::InvalidArgument("tags: one is empty"));
  return CheckWords("tags", tag, kTagBytesMax);
}

Status CheckField(const Field& field) {
  if (field.key.empty() || field.key.find('=') != field.key.npos)
    return Fail(Error::InvalidArgument("fields: a key has at least one character and no \"=\": \"" +
                                       Printable(field.key) + "\""));
  GC_TRY_VOID(CheckWords("fields: a key", field.key, kFieldKeyBytesMax));
  return CheckWords("fields: the value of " + field.key, field.value, kFieldValueBytesMax);
}

Result<std::vector<Field>> FieldsFrom(const google::protobuf::RepeatedPtrField<rpc::Field>& rows) {
  std::vector<Field> fields;
  for (const rpc::Field& row : rows) {
    const Field field{.key = row.key(), .value = row.value()};
    GC_TRY_VOID(CheckField(field));
    const size_t before = fields.size();
    SetField(fields, field);
    if (fields.size() == before)
      return Fail(Error::InvalidArgument("fields: " + field.key + " is given twice"));
  }
  if (fields.size() > kFieldsMax)
    return Fail(Error::InvalidArgument("fields: at most " + std::to_string(kFieldsMax)));
  return fields;
}

Result<std::vector<std::string>> TagsFrom(const google::protobuf::RepeatedPtrField<std::string>& rows) {
  std::vector<std::string> tags;
  for (const std::string& tag : rows) {
    GC_TRY_VOID(CheckTag(tag));
    if (std::find(tags.begin(), tags.end(), tag) == tags.end()) tags.push_back(tag);
  }
  if (tags.size() > kTagsMax)
    return Fail(Error::InvalidArgument("tags: at most " + std::to_string(kTagsMax)));
  return tags;
}

Result<Outcome> EditModel(Workplace& place, Act& act) {
  Desk& desk = place.desk;
  const rpc::EditModelRequest& request = act.request.edit_model();
  GC_TRY(const NamedModel named, FindOwnModel(desk, act, request.model()));
  if (named.version)
    return Fail(
        Error::InvalidArgument("a published version stays as it is; edit the asset: " + named.FullName()));
  const ModelDetails before = DetailsOf(named.model);
  GC_TRY(const ModelDetails details, Edited(request, before));
  GC_TRY_VOID(desk.Permit(act));
  const auto change = [&](catalog::Transaction& t) -> Status {
    GC_TRY_VOID(t.SetModelDetails(named.model.id, details));
    return CardEntry(named.model, details, desk.now()).Queue(t);
  };
  if (details != before) GC_TRY_VOID(desk.Change(change));
  return ModelAnswer(desk, act, named.model.id, {.with_card = true});
}

}  // namespace glasscase::operations
