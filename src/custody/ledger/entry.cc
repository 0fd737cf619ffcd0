#include <glasscase/ledger/entry.h>

#include <algorithm>
#include <optional>

#include <boost/json/value.hpp>
#include <glasscase/core/secret.h>
#include <glasscase/crypto/sha256.h>
#include <glasscase/json/canonical.h>
#include <glasscase/ledger/tile.h>

namespace glasscase::ledger {
namespace {

constexpr size_t kAlsoMax = 64;
constexpr std::string_view kMapType = "map";

Error Bad(const std::string& what) { return Error::InvalidArgument("not an entry of a ledger: " + what); }

Result<boost::json::object> ParseObject(std::string_view entry) {
  if (entry.size() > kEntryBytesMax) return Fail(Bad("too long"));
  GC_TRY(boost::json::value value, json::ParseCanonical(entry));
  if (!value.is_object()) return Fail(Bad("no object"));
  return std::move(value.as_object());
}

Status TakeAsset(const boost::json::value& value, std::vector<Uuid>& assets) {
  if (!value.is_string()) return Fail(Bad("an asset is not named by a UUID"));
  GC_TRY(const Uuid id, Uuid::Parse(std::string_view(value.get_string())));
  if (std::find(assets.begin(), assets.end(), id) == assets.end()) assets.push_back(id);
  return Ok();
}

Result<Hash> HashFrom(const boost::json::value* value) {
  Hash hash{};
  if (value == nullptr || !value->is_string()) return Fail(Bad("a hash is missing"));
  const auto bytes = FromBase64(std::string_view(value->get_string()));
  if (!bytes || bytes->size() != hash.size()) return Fail(Bad("a hash is not base64 of 32 bytes"));
  std::copy(bytes->begin(), bytes->end(), hash.begin());
  return hash;
}

Result<std::vector<Uuid>> AssetsIn(const boost::json::object& object) {
  std::vector<Uuid> assets;
  if (const auto* asset = object.if_contains("asset")) GC_TRY_VOID(TakeAsset(*asset, assets));
  if (const auto* also = object.if_contains("also")) {
    if (!also->is_array() || also->get_array().size() > kAlsoMax)
      return Fail(Bad("\"also\" is no short list"));
    for (const auto& asset : also->get_array()) GC_TRY_VOID(TakeAsset(asset, assets));
  }
  return assets;
}

Result<std::optional<MapRoot>> MapIn(const boost::json::object& object) {
  const auto* type = object.if_contains("type");
  if (type == nullptr || !type->is_string() || std::string_view(type->get_string()) != kMapType)
    return std::nullopt;
  MapRoot map;
  GC_TRY(map.root, HashFrom(object.if_contains("root")));
  const auto* size = object.if_contains("size");
  if (size == nullptr || !size->is_int64() || size->get_int64() < 0)
    return Fail(Bad("\"size\" is no number"));
  map.size = static_cast<uint64_t>(size->get_int64());
  return map;
}

}  // namespace

Result<EntryContent> ReadEntry(std::string_view entry) {
  EntryContent content;
  GC_TRY(content.said, ParseObject(entry));
  GC_TRY(content.assets, AssetsIn(content.said));
  GC_TRY(content.map, MapIn(content.said));
  return content;
}

Result<std::vector<Uuid>> AssetsOf(std::string_view entry) {
  GC_TRY(const boost::json::object object, ParseObject(entry));
  return AssetsIn(object);
}

std::string MapEntry(uint64_t size, const Hash& map_root) {
  return R"({"root":")" + ToBase64(map_root) + R"(","size":)" + std::to_string(size) +
         R"(,"type":"map","v":1})";
}

Result<std::optional<MapRoot>> ReadMapEntry(std::string_view entry) {
  GC_TRY(const boost::json::object object, ParseObject(entry));
  return MapIn(object);
}

Hash Commitment(const Salt& salt, std::string_view name, std::string_view value) {
  std::string head = "glasscase commitment v1\n";
  head += AsText(salt);
  head += name;
  head.push_back('\0');
  return Sha256(AsBytes(head), AsBytes(value));
}

Salt SaltOf(ByteSpan secret, std::string_view context, std::string_view name) {
  std::string input = "glasscase salt v1\n";
  input += AsText(secret);
  input += context;
  input.push_back('\0');
  input += name;
  const Digest digest = Sha256(AsBytes(input));
  WipeMemory(input.data(), input.size());
  Salt salt{};
  std::copy_n(digest.begin(), salt.size(), salt.begin());
  return salt;
}

}  // namespace glasscase::ledger
