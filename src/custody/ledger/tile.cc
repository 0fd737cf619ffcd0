#include <glasscase/ledger/tile.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstring>

namespace glasscase::ledger {
namespace {

constexpr unsigned kLevels = 64 / kTileHeight;

Error BadPath(std::string_view path) {
  return Error::InvalidArgument("\"" + Printable(path) + "\" is not the path of a tile");
}

void AppendThreeDigits(std::string& path, uint64_t group) {
  std::array<char, 4> digits{};
  std::snprintf(digits.data(), digits.size(), "%03u", static_cast<unsigned>(group % 1000));
  path += digits.data();
}

// "x001/x234/067": groups of three digits, all but the last marked.
void AppendIndex(std::string& path, uint64_t index) {
  std::array<uint64_t, 7> groups{};
  size_t count = 0;
  do {
    groups[count++] = index % 1000;
    index /= 1000;
  } while (index != 0);
  while (count-- > 0) {
    path += count != 0 ? "/x" : "/";
    AppendThreeDigits(path, groups[count]);
  }
}

bool TakePrefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

std::string_view TakeUntil(std::string_view& text, char end) {
  const std::string_view part = text.substr(0, text.find(end));
  text.remove_prefix(std::min(text.size(), part.size() + 1));
  return part;
}

template <typename Number>
bool ReadNumber(std::string_view text, Number& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

// Nothing is checked but that there are numbers where numbers belong: the caller compares the spelling.
bool ReadTile(std::string_view path, Tile& tile) {
  if (!TakePrefix(path, "tile/")) return false;
  const std::string_view level = TakeUntil(path, '/');
  tile.entries = level == "entries";
  if (!tile.entries && !ReadNumber(level, tile.level)) return false;
  if (const size_t partial = path.find(".p/"); partial != std::string_view::npos) {
    if (!ReadNumber(path.substr(partial + 3), tile.width)) return false;
    if (tile.width == 0 || tile.width >= kTileWidth) return false;
    path = path.substr(0, partial);
  }
  uint64_t index = 0;
  for (size_t groups = 0; !path.empty(); ++groups) {
    std::string_view group = TakeUntil(path, '/');
    TakePrefix(group, "x");
    uint64_t value = 0;
    if (groups == 6 || group.size() != 3 || !ReadNumber(group, value)) return false;
    index = index * 1000 + value;
  }
  tile.index = index;
  return tile.level < kLevels;
}

Hash SubtreeOf(const Hash* hashes, size_t count) {
  if (count == 1) return *hashes;
  return HashNode(SubtreeOf(hashes, count / 2), SubtreeOf(hashes + count / 2, count / 2));
}

}  // namespace

std::string TilePath(const Tile& tile) {
  std::string path = tile.entries ? "tile/entries" : "tile/" + std::to_string(tile.level);
  AppendIndex(path, tile.index);
  if (!tile.IsFull()) path += ".p/" + std::to_string(tile.width);
  return path;
}

Result<Tile> ParseTilePath(std::string_view path) {
  Tile tile;
  if (path.size() > 64 || !ReadTile(path, tile) || TilePath(tile) != path) return Fail(BadPath(path));
  return tile;
}

uint32_t TileWidthAt(uint64_t size, unsigned level, uint64_t index) {
  const uint64_t hashes = level >= kLevels ? 0 : size >> (kTileHeight * level);
  const uint64_t before = index * kTileWidth;
  if (index > UINT64_MAX / kTileWidth || before >= hashes) return 0;
  return static_cast<uint32_t>(std::min<uint64_t>(hashes - before, kTileWidth));
}

void AppendToBundle(std::string& bundle, std::string_view entry) {
  GC_CHECK(entry.size() <= kEntryBytesMax);
  bundle.push_back(static_cast<char>(entry.size() >> 8U));
  bundle.push_back(static_cast<char>(entry.size() & 0xffU));
  bundle.append(entry);
}

Result<std::vector<std::string_view>> SplitBundle(std::string_view bundle, size_t count) {
  std::vector<std::string_view> entries;
  std::string_view rest = bundle;
  while (entries.size() < count && rest.size() >= 2) {
    const size_t length =
        (static_cast<size_t>(static_cast<uint8_t>(rest[0])) << 8U) | static_cast<uint8_t>(rest[1]);
    if (rest.size() - 2 < length) break;
    entries.push_back(rest.substr(2, length));
    rest.remove_prefix(2 + length);
  }
  if (entries.size() == count && rest.empty()) return entries;
  return Fail(Error::InvalidArgument("an entry bundle of " + std::to_string(bundle.size()) +
                                     " bytes does not hold " + std::to_string(count) +
                                     " entries: whole ones=" + std::to_string(entries.size()) +
                                     ", bytes left=" + std::to_string(rest.size())));
}

Result<const std::vector<Hash>*> TileReader::HashesOf(unsigned tile_level, uint64_t index) {
  Kept& kept = kept_[tile_level];
  if (kept.index == index) return &kept.hashes;
  const uint32_t width = TileWidthAt(size_, tile_level, index);
  if (width == 0) return Fail(Error::OutOfRange("the log has no such tile"));
  GC_TRY(const std::string bytes,
         read_({.level = static_cast<uint8_t>(tile_level), .index = index, .width = width}));
  if (bytes.size() != width * sizeof(Hash)) {
    return Fail(Error::DataLoss("a tile has " + std::to_string(bytes.size()) + " bytes instead of " +
                                std::to_string(width * sizeof(Hash))));
  }
  kept.hashes.resize(width);
  std::memcpy(kept.hashes.data(), bytes.data(), bytes.size());
  kept.index = index;
  return &kept.hashes;
}

Result<Hash> TileReader::Subtree(unsigned level, uint64_t index) {
  const unsigned tile_level = level / kTileHeight;
  const unsigned inside = level % kTileHeight;
  if (tile_level >= kLevels || index > (UINT64_MAX >> level))
    return Fail(Error::OutOfRange("no such subtree"));
  const uint64_t first = index << inside;  // in hashes of the tile's own level
  GC_TRY(const std::vector<Hash>* hashes, HashesOf(tile_level, first / kTileWidth));
  const size_t offset = first % kTileWidth;
  const size_t count = size_t{1} << inside;
  if (offset + count > hashes->size()) return Fail(Error::OutOfRange("the subtree is not complete"));
  return SubtreeOf(hashes->data() + offset, count);
}

}  // namespace glasscase::ledger
