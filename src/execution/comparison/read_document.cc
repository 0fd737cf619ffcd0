// JSON and UBJSON: every array of numbers is a part, and every other value.
#include <utility>

#include <glasscase/translation/document.h>

#include "readers.h"

namespace glasscase::comparison {
namespace {

using translation::Items;
using translation::Members;
using translation::Numbers;
using translation::Value;

// Nesting is bounded by the parser.
Status Walk(Value& value, const std::string& name, PartList& parts) {
  if (auto* const numbers = std::get_if<Numbers>(&value.data))
    return parts.AddNumbers(name, std::move(*numbers));
  if (const auto* const number = std::get_if<double>(&value.data)) return parts.AddNumbers(name, {*number});
  if (auto* const text = std::get_if<std::string>(&value.data)) return parts.AddText(name, std::move(*text));
  if (const auto* const flag = std::get_if<bool>(&value.data))
    return parts.AddText(name, *flag ? "true" : "false");
  if (auto* const items = std::get_if<Items>(&value.data)) {
    for (size_t i = 0; i < items->size(); ++i)
      GC_TRY_VOID(Walk((*items)[i], name + "[" + std::to_string(i) + "]", parts));
    return Ok();
  }
  if (auto* const members = std::get_if<Members>(&value.data)) {
    for (auto& member : *members)
      GC_TRY_VOID(Walk(member.value, name.empty() ? member.name : name + "." + member.name, parts));
    return Ok();
  }
  return parts.AddText(name, "null");
}

}  // namespace

Status ReadDocument(ByteSpan file, bool is_ubj, PartList& parts) {
  GC_TRY(Value root, is_ubj ? translation::ParseUbj(file, {}) : translation::ParseJson(AsText(file), {}));
  return Walk(root, "", parts);
}

}  // namespace glasscase::comparison
