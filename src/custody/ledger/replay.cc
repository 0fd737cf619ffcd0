#include <glasscase/ledger/replay.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <vector>

#include <glasscase/ledger/asset_map.h>
#include <glasscase/ledger/entry.h>
#include <glasscase/ledger/files.h>
#include <glasscase/ledger/tile.h>

namespace glasscase::ledger {
namespace {

using EachEntry = std::function<Status(uint64_t index, std::string_view entry)>;

Error Wrong(uint64_t index, const std::string& what) {
  return Error::FailedPrecondition("entry " + std::to_string(index) + " of the log: " + what);
}

// A partial bundle may have been replaced by the full one, of which it is the beginning.
Result<std::string> ReadBundle(const ReadLogFile& read, uint64_t index, uint32_t width) {
  Tile tile{.entries = true, .level = 0, .index = index, .width = width};
  GC_TRY(auto bytes, read(TilePath(tile)));
  if (bytes) return std::move(*bytes);
  const std::string wanted = TilePath(tile);
  tile.width = kTileWidth;
  GC_TRY(auto full, read(TilePath(tile)));
  if (!full) return Fail(Error::DataLoss("the log's file " + wanted + " is missing"));
  std::string_view rest = *full;
  for (uint32_t i = 0; i < width; ++i) {
    const size_t length = rest.size() < 2 ? rest.size()
                                          : 2 + ((static_cast<size_t>(static_cast<uint8_t>(rest[0])) << 8U) |
                                                 static_cast<uint8_t>(rest[1]));
    rest.remove_prefix(std::min(rest.size(), length));
  }
  full->resize(full->size() - rest.size());
  return std::move(*full);
}

Status ForEachEntry(const ReadLogFile& read, uint64_t size, const EachEntry& each) {
  for (uint64_t first = 0; first < size; first += kTileWidth) {
    const uint32_t width = TileWidthAt(size, 0, first / kTileWidth);
    GC_TRY(const std::string bundle, ReadBundle(read, first / kTileWidth, width));
    const auto entries = SplitBundle(bundle, width);
    if (!entries) {
      return Fail(Error::DataLoss("the entries from " + std::to_string(first) +
                                  " on cannot be read: " + entries.error().message()));
    }
    for (size_t i = 0; i < entries->size(); ++i) GC_TRY_VOID(each(first + i, (*entries)[i]));
  }
  return Ok();
}

// The tree, and where its map entries are.
Result<std::vector<uint64_t>> CheckTree(const ReadLogFile& read, const Checkpoint& checkpoint) {
  Frontier frontier;
  std::vector<uint64_t> map_entries;
  const auto take = [&](uint64_t index, std::string_view entry) -> Status {
    frontier.Add(HashLeaf(AsBytes(entry)), [](unsigned, uint64_t, const Hash&) {});
    const auto map = ReadMapEntry(entry);
    if (!map) return Fail(Wrong(index, map.error().message()));
    if (*map) map_entries.push_back(index);
    return Ok();
  };
  GC_TRY_VOID(ForEachEntry(read, checkpoint.size, take));
  if (frontier.Root() != checkpoint.root) {
    return Fail(Error::FailedPrecondition(
        "the entries are not those that the checkpoint was signed for: the checkpoint's root is " +
        ToBase64(checkpoint.root) + ", the entries give " + ToBase64(frontier.Root())));
  }
  if (checkpoint.size != 0 && (map_entries.empty() || map_entries.back() != checkpoint.size - 1))
    return Fail(Wrong(checkpoint.size - 1, "the last one is not the root of the map"));
  return map_entries;
}

uint64_t Below(uint64_t bound, RandomSource& random) {
  const uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
  for (;;) {
    std::array<uint8_t, 8> bytes{};
    random.Fill(bytes);
    uint64_t value = 0;
    for (const uint8_t byte : bytes) value = (value << 8U) | byte;
    if (value < limit) return value % bound;
  }
}

std::set<uint64_t> Draw(std::vector<uint64_t> from, uint64_t count, RandomSource& random) {
  count = std::min<uint64_t>(count, from.size());
  for (uint64_t i = 0; i < count; ++i) std::swap(from[i], from[i + Below(from.size() - i, random)]);
  return {from.begin(), from.begin() + static_cast<std::ptrdiff_t>(count)};
}

Status CheckMapEntry(uint64_t index, std::string_view entry, const Hash& root) {
  GC_TRY(const auto map, ReadMapEntry(entry));
  if (map->size != index)
    return Fail(Wrong(index, "the map is said to be of " + std::to_string(map->size) + " entries"));
  if (map->root == root) return Ok();
  return Fail(Wrong(index, "the root of the map is a lie: it says " + ToBase64(map->root) +
                               ", the entries before it give " + ToBase64(root)));
}

// Every map entry: the map grows with the entries.
Result<uint64_t> CheckAll(const ReadLogFile& read, uint64_t size, const std::set<uint64_t>& chosen) {
  AssetMap map;
  const auto take = [&](uint64_t index, std::string_view entry) -> Status {
    if (chosen.contains(index)) GC_TRY_VOID(CheckMapEntry(index, entry, map.Root()));
    GC_TRY(const std::vector<Uuid> assets, AssetsOf(entry));
    for (const Uuid& asset : assets) map.Add(asset, index, HashLeaf(AsBytes(entry)));
    return Ok();
  };
  GC_TRY_VOID(ForEachEntry(read, size, take));
  return map.size();
}

// A few: the chains grow with the entries, and a root is computed where one is wanted.
Result<uint64_t> CheckSome(const ReadLogFile& read, const std::set<uint64_t>& chosen) {
  if (chosen.empty()) return 0;
  std::map<Hash, Hash> chains;
  const auto take = [&](uint64_t index, std::string_view entry) -> Status {
    if (chosen.contains(index)) GC_TRY_VOID(CheckMapEntry(index, entry, MapRootOf(chains)));
    GC_TRY(const std::vector<Uuid> assets, AssetsOf(entry));
    for (const Uuid& asset : assets) {
      Hash& chain = chains[MapKey(asset)];
      chain = ExtendChain(chain, index, HashLeaf(AsBytes(entry)));
    }
    return Ok();
  };
  GC_TRY_VOID(ForEachEntry(read, *chosen.rbegin() + 1, take));
  return chains.size();
}

}  // namespace

double Replayed::ProbabilityOfMissing(uint64_t lies) const {
  double probability = 1;
  for (uint64_t i = 0; i < std::min(lies, map_entries); ++i) {
    const uint64_t unchecked = map_entries - map_entries_checked;
    if (unchecked <= i) return 0;
    probability *= static_cast<double>(unchecked - i) / static_cast<double>(map_entries - i);
  }
  return probability;
}

Result<Replayed> Replay(const ReadLogFile& read, const Policy& policy, RandomSource& random,
                        const ReplayOptions& options) {
  GC_TRY(const auto signed_checkpoint, read(kCheckpointPath));
  if (!signed_checkpoint) return Fail(Error::DataLoss("the log's file checkpoint is missing"));
  Replayed replayed;
  GC_TRY(replayed.checkpoint, CheckCheckpoint(*signed_checkpoint, policy));
  const uint64_t size = replayed.checkpoint.checkpoint.size;
  GC_TRY(const std::vector<uint64_t> map_entries, CheckTree(read, replayed.checkpoint.checkpoint));
  replayed.map_entries = map_entries.size();
  const std::set<uint64_t> chosen = options.sample
                                        ? Draw(map_entries, *options.sample, random)
                                        : std::set<uint64_t>(map_entries.begin(), map_entries.end());
  auto assets = options.sample ? CheckSome(read, chosen) : CheckAll(read, size, chosen);
  GC_TRY(replayed.assets, std::move(assets));
  replayed.map_entries_checked = chosen.size();
  return replayed;
}

}  // namespace glasscase::ledger
