// Tiles of a transparency log: which there are, what they are called (C2SP tlog-tiles v0.1.0).
//
// A tile of level L holds up to 256 hashes of subtrees of 256^L leaves; an entry bundle holds up to 256
// entries. Full ones never change; a partial one of width W is never part of another tile.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <glasscase/ledger/merkle.h>

namespace glasscase::ledger {

inline constexpr unsigned kTileHeight = 8;
inline constexpr uint32_t kTileWidth = 256;
inline constexpr size_t kEntryBytesMax = 65'535;

struct Tile {
  bool entries = false;  // an entry bundle; then level is 0
  uint8_t level = 0;     // 0 to 7: a log of 2^63 entries has no more
  uint64_t index = 0;
  uint32_t width = kTileWidth;  // 1 to 256

  bool IsFull() const { return width == kTileWidth; }
  bool operator==(const Tile&) const = default;
};

// "tile/0/x001/x234/067.p/17", "tile/entries/000".
std::string TilePath(const Tile& tile);
// InvalidArgument for every other spelling.
Result<Tile> ParseTilePath(std::string_view path);

// The width of tile `index` of that level in a log of `size` entries: 0 when it is not there.
uint32_t TileWidthAt(uint64_t size, unsigned level, uint64_t index);

// Of an entry bundle: each entry after its length as two bytes, the high one first.
void AppendToBundle(std::string& bundle, std::string_view entry);
// Views into `bundle`. InvalidArgument unless it holds exactly `count`.
Result<std::vector<std::string_view>> SplitBundle(std::string_view bundle, size_t count);

// Subtree hashes out of tiles that `read` gives; keeps the last of each level. Not thread-safe.
class TileReader final : public SubtreeReader {
 public:
  // The bytes of a tile, exactly 32 times its width.
  using Read = std::function<Result<std::string>(const Tile&)>;
  // `size` of the tree whose tiles are read: it says which tiles are partial.
  TileReader(uint64_t size, Read read) : size_(size), read_(std::move(read)) {}

  Result<Hash> Subtree(unsigned level, uint64_t index) override;

 private:
  struct Kept {
    uint64_t index = UINT64_MAX;
    std::vector<Hash> hashes;
  };
  Result<const std::vector<Hash>*> HashesOf(unsigned tile_level, uint64_t index);

  uint64_t size_;
  Read read_;
  std::vector<Kept> kept_ = std::vector<Kept>(64 / kTileHeight);
};

}  // namespace glasscase::ledger
