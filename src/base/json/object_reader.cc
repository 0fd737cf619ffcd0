#include <glasscase/json/object_reader.h>

#include <algorithm>
#include <cmath>

namespace glasscase::json {

Result<ObjectReader> ObjectReader::Open(const boost::json::value& value, std::string path) {
  if (const auto* object = value.if_object()) return ObjectReader(*object, std::move(path));
  return Fail(Error::InvalidArgument(path + " must be an object"));
}

Error ObjectReader::Wrong(std::string_view name, std::string_view what) const {
  return Error::InvalidArgument(path_ + "." + std::string(name) + " " + std::string(what));
}

Result<std::string> ObjectReader::String(std::string_view name) const {
  const auto* value = Find(name);
  if (value == nullptr || !value->is_string()) return Fail(Wrong(name, "must be a string"));
  return std::string(value->get_string().data(), value->get_string().size());
}

Result<bool> ObjectReader::Bool(std::string_view name) const {
  const auto* value = Find(name);
  if (value == nullptr || !value->is_bool()) return Fail(Wrong(name, "must be true or false"));
  return value->get_bool();
}

Result<uint64_t> ObjectReader::Whole(std::string_view name) const {
  constexpr double kEveryWholeBelow = 9007199254740992.0;  // 2^53
  if (const auto* value = Find(name)) {
    if (value->is_int64() && value->get_int64() >= 0) return static_cast<uint64_t>(value->get_int64());
    if (value->is_uint64()) return value->get_uint64();
    if (const double* number = value->if_double();
        number != nullptr && *number >= 0 && *number < kEveryWholeBelow && std::floor(*number) == *number)
      return static_cast<uint64_t>(*number);
  }
  return Fail(Wrong(name, "must be a whole number from 0"));
}

Result<Digest> ObjectReader::Sha256(std::string_view name) const {
  GC_TRY(const std::string text, String(name));
  const auto digest = DigestFromHex(text);
  if (!digest || ToHex(*digest) != text) return Fail(Wrong(name, "must be 64 lower-case hexadecimal digits"));
  return *digest;
}

Result<ObjectReader> ObjectReader::Object(std::string_view name) const {
  const auto* value = Find(name);
  if (value == nullptr) return Fail(Wrong(name, "is missing"));
  return Open(*value, path_ + "." + std::string(name));
}

Result<const boost::json::array*> ObjectReader::Array(std::string_view name) const {
  const auto* value = Find(name);
  if (value == nullptr || !value->is_array()) return Fail(Wrong(name, "must be an array"));
  return &value->get_array();
}

Status ObjectReader::RefuseOthers(std::initializer_list<std::string_view> names) const {
  for (const auto& member : *object_) {
    const std::string_view name(member.key().data(), member.key().size());
    if (std::find(names.begin(), names.end(), name) != names.end()) continue;
    std::string known;
    for (const std::string_view one : names) known += (known.empty() ? "" : ", ") + std::string(one);
    return Fail(Error::InvalidArgument(path_ + " has an unknown member " + Printable(name) +
                                       "; it may have " + known));
  }
  return Ok();
}

std::string Element(std::string_view path, size_t index) {
  return std::string(path) + "[" + std::to_string(index) + "]";
}

}  // namespace glasscase::json
