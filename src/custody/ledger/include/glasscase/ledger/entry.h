// Entries: canonical JSON (RFC 8785), one object each; what their members mean is in
// api/formats/ledger-entry.md.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include <glasscase/core/ids.h>
#include <glasscase/ledger/asset_map.h>

namespace glasscase::ledger {

// What a map entry says.
struct MapRoot {
  uint64_t size = 0;
  Hash root{};
};

// An entry, read once.
struct EntryContent {
  boost::json::object said;
  std::vector<Uuid> assets{};    // whose entry it is: its member "asset" and those in "also"
  std::optional<MapRoot> map{};  // when it is a map entry
};
// InvalidArgument for what is no entry.
Result<EntryContent> ReadEntry(std::string_view entry);

// `assets` alone.
Result<std::vector<Uuid>> AssetsOf(std::string_view entry);

// The last entry of every checkpoint: the root of the map over all entries before it.
std::string MapEntry(uint64_t size, const Hash& map_root);
// nullopt when the entry is of another type.
Result<std::optional<MapRoot>> ReadMapEntry(std::string_view entry);

// A commitment to one field of an entry, opened by giving salt and value:
//   SHA-256("glasscase commitment v1\n" || salt || name || 0x00 || value).
using Salt = std::array<uint8_t, 16>;
Hash Commitment(const Salt& salt, std::string_view name, std::string_view value);
// The salt of a field, out of the asset's secret: when that is erased nobody can open the commitment any
// more, or find out what it says by trying. `context` differs for each entry.
Salt SaltOf(ByteSpan secret, std::string_view context, std::string_view name);

}  // namespace glasscase::ledger
