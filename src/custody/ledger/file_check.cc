#include <glasscase/ledger/file_check.h>

#include <array>

#include <glasscase/ledger/tile.h>

namespace glasscase::ledger {
namespace {

constexpr unsigned kTileLevels = 64 / kTileHeight;

class Checker {
 public:
  Checker(const LogFiles& files, const FileCheck& check, const Checkpoint& checkpoint)
      : files_(files), check_(check), checkpoint_(checkpoint) {}

  Status Run() {
    for (uint64_t first = 0; first < checkpoint_.size; first += kTileWidth) {
      GC_TRY(const bool read, CheckBundle(first / kTileWidth));
      // Without its entries nothing above them can be computed.
      if (!read) return Ok();
    }
    for (unsigned level = 0; level < kTileLevels; ++level) {
      if (!hashes_[level].empty()) GC_TRY_VOID(CompareTile(level));
    }
    if (frontier_.Root() != checkpoint_.root)
      check_.problem(kCheckpointPath, "its root is not that of the entries");
    return Ok();
  }

 private:
  Result<std::optional<std::string>> ReadFile(const Tile& tile) {
    const std::string path = TilePath(tile);
    auto bytes = files_.Read(path);
    if (!bytes) {
      check_.problem(path, bytes.error().message());
      return std::optional<std::string>();
    }
    if (!*bytes) check_.problem(path, "is missing");
    return std::move(*bytes);
  }

  Result<bool> CheckBundle(uint64_t index) {
    const Tile tile{.entries = true, .index = index, .width = TileWidthAt(checkpoint_.size, 0, index)};
    GC_TRY(const auto bundle, ReadFile(tile));
    if (!bundle) return false;
    const auto entries = SplitBundle(*bundle, tile.width);
    if (!entries) {
      check_.problem(TilePath(tile), entries.error().message());
      return false;
    }
    for (const std::string_view entry : *entries) GC_TRY_VOID(Add(entry));
    return true;
  }

  Status Add(std::string_view entry) {
    const Hash leaf = HashLeaf(AsBytes(entry));
    check_.entry(frontier_.size(), entry, leaf);
    Status compared;
    frontier_.Add(leaf, [&](unsigned level, uint64_t, const Hash& hash) {
      if (level % kTileHeight != 0 || !compared) return;
      std::string& hashes = hashes_[level / kTileHeight];
      hashes += AsText(hash);
      if (hashes.size() == kTileWidth * sizeof(Hash)) compared = CompareTile(level / kTileHeight);
    });
    return compared;
  }

  // The tile at the right edge of what was added; ends it.
  Status CompareTile(unsigned level) {
    std::string& hashes = hashes_[level];
    const Tile tile{.level = static_cast<uint8_t>(level),
                    .index = next_[level]++,
                    .width = static_cast<uint32_t>(hashes.size() / sizeof(Hash))};
    GC_TRY(const auto bytes, ReadFile(tile));
    Tile below = tile;
    below.entries = level == 0;
    if (bytes && *bytes != hashes)
      check_.problem(TilePath(tile), level == 0
                                         ? "disagrees with " + TilePath(below) + ": one of them was changed"
                                         : "is not what the tiles below it give");
    hashes.clear();
    return Ok();
  }

  const LogFiles& files_;
  const FileCheck& check_;
  const Checkpoint& checkpoint_;
  Frontier frontier_;
  std::array<std::string, kTileLevels> hashes_;
  std::array<uint64_t, kTileLevels> next_{};
};

}  // namespace

Result<Checkpoint> CheckLogFiles(const LogFiles& files, const NoteVerifier& verifier,
                                 const FileCheck& check) {
  GC_TRY(const auto bytes, files.Read(kCheckpointPath));
  if (!bytes) return Fail(Error::NotFound("the log has no checkpoint"));
  GC_TRY(const Note note, Note::Parse(*bytes));
  GC_TRY(const Checkpoint checkpoint, Checkpoint::Parse(note.text));
  const auto is_signed = note.IsSignedBy(verifier);
  if (!is_signed || !*is_signed || checkpoint.origin != verifier.name())
    check.problem(kCheckpointPath, "is not signed by " + verifier.name());
  GC_TRY_VOID(Checker(files, check, checkpoint).Run());
  return checkpoint;
}

Status CheckOlderFile(const LogFiles& files, std::string_view path, uint64_t size, const FileCheck& check) {
  const auto tile = ParseTilePath(path);
  if (!tile || tile->width >= TileWidthAt(size, tile->level, tile->index)) return Ok();
  GC_TRY(const auto older, files.Read(path));
  Tile newer = *tile;
  newer.width = TileWidthAt(size, tile->level, tile->index);
  GC_TRY(const auto whole, files.Read(TilePath(newer)));
  if (!older || !whole) return Ok();
  const bool has_all = tile->entries ? SplitBundle(*older, tile->width).has_value()
                                     : older->size() == tile->width * sizeof(Hash);
  if (!has_all || !whole->starts_with(*older))
    check.problem(path, "is not the beginning of " + TilePath(newer));
  return Ok();
}

bool BelongsToLog(std::string_view path, uint64_t size) {
  if (path == kCheckpointPath) return true;
  const auto tile = ParseTilePath(path);
  return tile && tile->width <= TileWidthAt(size, tile->level, tile->index);
}

}  // namespace glasscase::ledger
