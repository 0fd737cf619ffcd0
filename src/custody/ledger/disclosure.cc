#include <glasscase/ledger/disclosure.h>

#include <algorithm>

#include <boost/json/value.hpp>
#include <glasscase/core/bytes.h>
#include <glasscase/json/canonical.h>
#include <glasscase/ledger/tile.h>

#include "compact.h"

namespace glasscase::ledger {
namespace {

namespace json = boost::json;

Error Bad(const std::string& what) {
  return Error::InvalidArgument("the receipt's entry cannot be read: " + what);
}

Result<json::object> ParseObject(std::string_view text, const std::string& what) {
  auto value = glasscase::json::ParseCanonical(text);
  if (!value) return Fail(value.error().WithContext(what));
  if (!value->is_object()) return Fail(Bad(what + " is no object"));
  return std::move(value->as_object());
}

std::optional<std::string_view> StringIn(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return std::string_view(value->get_string());
}

Result<std::optional<Uuid>> UuidIn(const json::object& object, std::string_view name) {
  if (object.if_contains(name) == nullptr) return std::nullopt;
  const auto text = StringIn(object, name);
  if (!text) return Fail(Bad("\"" + std::string(name) + "\" is no UUID"));
  GC_TRY(const Uuid id, Uuid::Parse(*text));
  return id;
}

Result<DisclosedField> ReadField(const std::string& name, const json::value& value) {
  const auto bad = [&] { return Fail(Bad("the field " + Printable(name) + " has no salt and value")); };
  if (!value.is_object() || value.get_object().size() != 2) return bad();
  const auto salt = StringIn(value.get_object(), "salt");
  const auto text = StringIn(value.get_object(), "value");
  if (!salt || !text) return bad();
  DisclosedField field{.salt = {}, .value = std::string(*text)};
  const auto bytes = FromBase64(*salt);
  if (!bytes || bytes->size() != field.salt.size()) return bad();
  std::copy(bytes->begin(), bytes->end(), field.salt.begin());
  return field;
}

Status CheckField(const std::string& name, const DisclosedField& field, const json::object& entry) {
  const json::value* hidden = entry.if_contains("hidden");
  const auto commitment =
      hidden != nullptr && hidden->is_object() ? StringIn(hidden->get_object(), name) : std::nullopt;
  if (!commitment) {
    return Fail(Error::FailedPrecondition("the receipt discloses the field " + Printable(name) +
                                          ", which the entry does not have"));
  }
  if (*commitment == ToBase64(Commitment(field.salt, name, field.value))) return Ok();
  return Fail(Error::FailedPrecondition("the field " + Printable(name) +
                                        " is not what the entry in the log commits to: it was altered"));
}

// Form 1: a JSON object.
Result<Disclosure> ReadObject(std::string_view extra) {
  GC_TRY(const json::object object, ParseObject(extra, "the extra data"));
  const auto text = StringIn(object, "entry");
  const json::value* disclosed = object.if_contains("disclosed");
  if (!text || disclosed == nullptr || !disclosed->is_object() || object.size() != 2)
    return Fail(Bad("the extra data has other members than \"disclosed\" and \"entry\""));
  Disclosure disclosure{.entry = std::string(*text), .fields = {}};
  for (const auto& member : disclosed->get_object()) {
    const std::string name(member.key());
    GC_TRY(disclosure.fields[name], ReadField(name, member.value()));
  }
  return disclosure;
}

}  // namespace

Result<Disclosure> Disclosure::Parse(std::string_view extra) {
  const bool compact = extra.starts_with(kCompactForm);
  GC_TRY(Disclosure disclosure, compact ? ReadCompact(extra) : ReadObject(extra));
  if (disclosure.entry.size() > kEntryBytesMax) return Fail(Bad("the entry is too long"));
  GC_TRY(const json::object entry, ParseObject(disclosure.entry, "the entry"));
  for (const auto& [name, field] : disclosure.fields) GC_TRY_VOID(CheckField(name, field, entry));
  if (!compact) return disclosure;
  const auto again = disclosure.ToString();
  if (!again || *again != extra) return Fail(Bad("it is spelled in another way than ours"));
  return disclosure;
}

Result<std::string> Disclosure::ToString() const {
  json::object disclosed;
  for (const auto& [name, field] : fields) disclosed[name] = field.value;
  GC_TRY(const std::string text, glasscase::json::WriteCanonical(disclosed));
  return WriteCompact(text, entry, fields);
}

Result<EntryHead> ReadEntryHead(std::string_view entry) {
  GC_TRY(const json::object object, ParseObject(entry, "the entry"));
  EntryHead head;
  const auto type = StringIn(object, "type");
  if (!type) return Fail(Bad("it has no type"));
  head.type = *type;
  if (const json::value* at = object.if_contains("at")) {
    if (!at->is_int64()) return Fail(Bad("\"at\" is no number of microseconds"));
    head.at_micros = at->get_int64();
  }
  GC_TRY(head.asset, UuidIn(object, "asset"));
  GC_TRY(head.version, UuidIn(object, "version"));
  return head;
}

}  // namespace glasscase::ledger
