#include <glasscase/ledger/repair.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include <glasscase/ledger/checkpoint.h>
#include <glasscase/ledger/file_check.h>
#include <glasscase/ledger/tile.h>

namespace glasscase::ledger {
namespace {

constexpr unsigned kTileLevels = 64 / kTileHeight;
constexpr std::string_view kHelp = ": put the file back from a backup, or from anybody's copy of the log";

// Where a tile lies, whatever its width.
struct Place {
  bool entries = false;
  unsigned level = 0;
  uint64_t index = 0;
  auto operator<=>(const Place&) const = default;
};

class Repairer {
 public:
  Repairer(LogFiles& files, const Journal& journal, const NoteSigner& signer, const RepairOptions& options)
      : files_(files), journal_(journal), signer_(signer), options_(options) {}

  Status Run() {
    GC_TRY_VOID(ReadTarget());
    SortPaths();
    GC_TRY_VOID(ReadLeaves());
    if (!LeavesAreRight()) return Ok();
    GC_TRY_VOID(WriteBundles());
    GC_TRY_VOID(WriteTiles());
    GC_TRY_VOID(WriteCheckpoint());
    return files_.SyncAll();
  }

 private:
  using Entries = std::vector<std::optional<std::string>>;
  using Hashes = std::vector<std::optional<Hash>>;

  // ---- what the log should be ----

  Status ReadTarget() {
    GC_TRY(head_, journal_.ReadHead());
    GC_TRY(kept_, journal_.ReadKept());
    target_ = {.origin = signer_.verifier().name(), .size = head_.size, .root = head_.root};
    const auto published = ReadCheckpoint();
    has_checkpoint_ = published.has_value();
    if (!published) return Ok();
    // What is signed has been seen by the world, whatever the catalog says.
    if (published->size >= head_.size) target_ = *published;
    return Ok();
  }

  std::optional<Checkpoint> ReadCheckpoint() const {
    const auto bytes = files_.Read(kCheckpointPath);
    if (!bytes || !*bytes) return std::nullopt;
    const auto note = Note::Parse(**bytes);
    const auto checkpoint = note ? Checkpoint::Parse(note->text) : Fail(note.error());
    const auto is_signed = note ? note->IsSignedBy(signer_.verifier()) : false;
    if (!checkpoint || !is_signed || !*is_signed || checkpoint->origin != signer_.verifier().name())
      return std::nullopt;
    return *checkpoint;
  }

  void SortPaths() {
    for (const std::string& path : options_.paths) {
      if (path == kCheckpointPath || path == ".writing") continue;
      const auto tile = ParseTilePath(path);
      if (!tile) {
        options_.left(path, "is no file of a log: move it away");
      } else if (!BelongsToLog(path, target_.size)) {
        is_of_longer_log_ = true;
        options_.left(path,
                      "is of a longer log than checkpoint and catalog know: an old copy of one of them was "
                      "put back; put the newest back, or move this file away");
      } else {
        stored_[{tile->entries, tile->level, tile->index}].push_back(tile->width);
      }
    }
    for (auto& [place, widths] : stored_) std::sort(widths.rbegin(), widths.rend());
  }

  // ---- what the files and the journal still say ----

  // All that is stored of a tile or bundle, the widest first.
  template <typename Visit>
  void ForEachStored(const Place& place, const Visit& visit) const {
    const auto found = stored_.find(place);
    if (found == stored_.end()) return;
    for (const uint32_t width : found->second) {
      const Tile tile{.entries = place.entries,
                      .level = static_cast<uint8_t>(place.level),
                      .index = place.index,
                      .width = width};
      const auto bytes = files_.Read(TilePath(tile));
      if (bytes && *bytes) visit(tile, **bytes);
    }
  }

  Hashes StoredHashes(uint64_t index, uint32_t width) const {
    Hashes hashes(width);
    ForEachStored(
        {.entries = false, .level = 0, .index = index}, [&](const Tile& tile, const std::string& bytes) {
          if (bytes.size() != tile.width * sizeof(Hash)) return;
          for (uint32_t i = 0; i < std::min(width, tile.width); ++i) {
            if (hashes[i]) continue;
            std::copy_n(AsBytes(bytes).begin() + i * sizeof(Hash), sizeof(Hash), hashes[i].emplace().begin());
          }
        });
    return hashes;
  }

  // The entries of a bundle, each from the first source that has it, or that has it as `hashes` say.
  Entries StoredEntries(uint64_t index, uint32_t width, const Hashes& hashes) const {
    Entries entries(width);
    const auto take = [&](uint32_t i, std::string_view entry) {
      const bool better = entries[i] && hashes[i] && HashLeaf(AsBytes(*entries[i])) != *hashes[i] &&
                          HashLeaf(AsBytes(entry)) == *hashes[i];
      if (!entries[i] || better) entries[i] = std::string(entry);
    };
    ForEachStored({.entries = true, .level = 0, .index = index},
                  [&](const Tile& tile, const std::string& bytes) {
                    const auto split = SplitBundle(bytes, tile.width);
                    for (uint32_t i = 0; split && i < std::min(width, tile.width); ++i) take(i, (*split)[i]);
                  });
    const uint64_t first = index * kTileWidth;
    for (const Journal::Kept& kept : kept_) {
      if (kept.first >= first + width || kept.first + kept.count <= first) continue;
      const auto split = SplitBundle(kept.framed, kept.count);
      for (uint64_t i = 0; split && i < kept.count; ++i)
        if (kept.first + i >= first && kept.first + i < first + width)
          take(static_cast<uint32_t>(kept.first + i - first), (*split)[i]);
    }
    return entries;
  }

  // The leaves: by the entries, or where one is lost by the tile. Where both are there and disagree, the
  // tile's word is kept too: which of them is right is seen at the root.
  Status ReadLeaves() {
    for (uint64_t first = 0; first < target_.size; first += kTileWidth) {
      const uint32_t width = TileWidthAt(target_.size, 0, first / kTileWidth);
      const Hashes hashes = StoredHashes(first / kTileWidth, width);
      const Entries entries = StoredEntries(first / kTileWidth, width, hashes);
      for (uint32_t i = 0; i < width; ++i) {
        if (!entries[i] && !hashes[i]) lost_.push_back(first + i);
        const Hash leaf = entries[i] ? HashLeaf(AsBytes(*entries[i])) : hashes[i].value_or(Hash{});
        if (entries[i] && hashes[i] && leaf != *hashes[i]) disputed_[first + i] = *hashes[i];
        leaves_.push_back(leaf);
      }
    }
    return Ok();
  }

  bool RootIsRight() const {
    Frontier frontier;
    for (const Hash& leaf : leaves_) frontier.Add(leaf, [](unsigned, uint64_t, const Hash&) {});
    return frontier.Root() == target_.root;
  }

  bool LeavesAreRight() {
    if (lost_.empty()) {
      if (RootIsRight()) return true;
      for (const auto& [index, hash] : disputed_) leaves_[index] = hash;
      if (!disputed_.empty() && RootIsRight()) return true;
    }
    std::map<std::string, uint64_t> bundles;  // path, first entry that is lost or disputed
    for (const uint64_t index : lost_) bundles.try_emplace(BundlePath(index), index);
    for (const auto& [index, hash] : disputed_) bundles.try_emplace(BundlePath(index), index);
    for (const auto& [path, index] : bundles)
      options_.left(path, "entry " + std::to_string(index) +
                              " is lost, with the tile that could say what it was" + std::string(kHelp));
    if (bundles.empty())
      options_.left(kCheckpointPath,
                    "the entries are not those that were signed for, and no file disagrees with "
                    "another: put the backup's log and catalog back");
    return false;
  }

  std::string BundlePath(uint64_t index) const {
    return TilePath({.entries = true,
                     .index = index / kTileWidth,
                     .width = TileWidthAt(target_.size, 0, index / kTileWidth)});
  }

  // ---- what is written ----

  // At its full width and at every narrower one that is there. `beginning(width)` gives the right bytes.
  template <typename Beginning>
  Status WriteWhereWrong(Tile tile, const Beginning& beginning) {
    std::vector<uint32_t> widths = {tile.width};
    const auto found = stored_.find({tile.entries, tile.level, tile.index});
    if (found != stored_.end())
      std::copy_if(found->second.begin(), found->second.end(), std::back_inserter(widths),
                   [&](uint32_t width) { return width < tile.width; });
    for (const uint32_t width : widths) {
      tile.width = width;
      const std::string path = TilePath(tile), right = beginning(width);
      const auto bytes = files_.Read(path);
      if (bytes && *bytes == right) continue;
      GC_TRY_VOID(files_.Write(path, right));
      options_.repaired(
          path, bytes && !*bytes ? "was missing, and is there again" : "was damaged, and is right again");
    }
    return Ok();
  }

  Status WriteBundles() {
    for (uint64_t first = 0; first < target_.size; first += kTileWidth) {
      const uint64_t index = first / kTileWidth;
      const uint32_t width = TileWidthAt(target_.size, 0, index);
      const Hashes hashes(leaves_.begin() + static_cast<std::ptrdiff_t>(first),
                          leaves_.begin() + static_cast<std::ptrdiff_t>(first + width));
      const Entries entries = StoredEntries(index, width, hashes);
      uint32_t known = 0;
      while (known < width && entries[known] && HashLeaf(AsBytes(*entries[known])) == *hashes[known]) ++known;
      if (known < width) {
        options_.left(BundlePath(first),
                      "entry " + std::to_string(first + known) + " is lost" + std::string(kHelp));
        continue;
      }
      GC_TRY_VOID(WriteWhereWrong({.entries = true, .index = index, .width = width}, [&](uint32_t count) {
        std::string bundle;
        for (uint32_t i = 0; i < count; ++i) AppendToBundle(bundle, *entries[i]);
        return bundle;
      }));
    }
    return Ok();
  }

  Status WriteTiles() {
    std::array<std::string, kTileLevels> hashes;
    std::array<uint64_t, kTileLevels> next{};
    const auto finish = [&](unsigned level) -> Status {
      const std::string bytes = std::move(hashes[level]);
      hashes[level].clear();
      return WriteWhereWrong({.level = static_cast<uint8_t>(level),
                              .index = next[level]++,
                              .width = static_cast<uint32_t>(bytes.size() / sizeof(Hash))},
                             [&](uint32_t width) { return bytes.substr(0, width * sizeof(Hash)); });
    };
    Frontier frontier;
    for (const Hash& leaf : leaves_) {
      Status written;
      frontier.Add(leaf, [&](unsigned level, uint64_t, const Hash& hash) {
        if (level % kTileHeight != 0 || !written) return;
        hashes[level / kTileHeight] += AsText(hash);
        if (hashes[level / kTileHeight].size() == kTileWidth * sizeof(Hash))
          written = finish(level / kTileHeight);
      });
      GC_TRY_VOID(written);
    }
    for (unsigned level = 0; level < kTileLevels; ++level)
      if (!hashes[level].empty()) GC_TRY_VOID(finish(level));
    return Ok();
  }

  // The same text is signed as before, and Ed25519 gives the same signature.
  Status WriteCheckpoint() {
    if (has_checkpoint_ || target_.size == 0) return Ok();
    if (is_of_longer_log_) {
      options_.left(kCheckpointPath,
                    "is missing or damaged, and there are files of a longer log than the catalog "
                    "knows: nothing is signed");
      return Ok();
    }
    Note note{.text = target_.ToString(), .signatures = {}};
    note.signatures.push_back(signer_.Sign(note.text));
    GC_TRY_VOID(files_.Write(kCheckpointPath, note.ToString()));
    options_.repaired(kCheckpointPath, "was missing or damaged; signed again for the " +
                                           std::to_string(target_.size) +
                                           " entries that the catalog has committed to");
    return Ok();
  }

  LogFiles& files_;
  const Journal& journal_;
  const NoteSigner& signer_;
  const RepairOptions& options_;
  Head head_;
  std::vector<Journal::Kept> kept_;
  Checkpoint target_;
  bool has_checkpoint_ = false;
  bool is_of_longer_log_ = false;
  std::map<Place, std::vector<uint32_t>> stored_;  // widths, the widest first
  std::vector<Hash> leaves_;
  std::vector<uint64_t> lost_;
  std::map<uint64_t, Hash> disputed_;  // what the tile says
};

}  // namespace

Status RepairLogFiles(LogFiles& files, const Journal& journal, const NoteSigner& signer,
                      const RepairOptions& options) {
  return Repairer(files, journal, signer, options).Run();
}

}  // namespace glasscase::ledger
