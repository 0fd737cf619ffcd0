#include <glasscase/ledger/log.h>

#include <algorithm>
#include <array>
#include <unordered_map>

namespace glasscase::ledger {
namespace {

constexpr unsigned kTileLevels = 64 / kTileHeight;
constexpr unsigned kBundle = kTileLevels;  // among the right edges, the one of the entries

// The tile at the right edge of a level, or of the entries, that is not full yet.
struct Edge {
  uint64_t index = 0;
  uint32_t width = 0;
  std::string bytes;
  uint32_t written_width = 0;
};

struct FullTile {
  Tile tile;
  std::string bytes;
};

Tile TileOf(unsigned edge, uint64_t index, uint32_t width) {
  return {.entries = edge == kBundle,
          .level = static_cast<uint8_t>(edge == kBundle ? 0 : edge),
          .index = index,
          .width = width};
}

constexpr std::string_view kAskFsck = "; `glasscase fsck` says what is damaged, and what helps";

Result<std::optional<std::string>> ReadFile(const LogFiles& files, std::string_view path) {
  auto bytes = files.Read(path);
  if (bytes) return bytes;
  return Fail(Error(bytes.error().code(), bytes.error().message() + std::string(kAskFsck)));
}

// The entries of a bundle that was read from its file.
Result<std::vector<std::string_view>> SplitFile(const Tile& tile, std::string_view bytes) {
  auto entries = SplitBundle(bytes, tile.width);
  if (entries) return entries;
  return Fail(Error::DataLoss("the log's file " + TilePath(tile) +
                              " is damaged: " + entries.error().message() + std::string(kAskFsck)));
}

}  // namespace

// What is in memory of the log: its right edge, the map, and which files are still to be written.
struct Log::Tail {
  Frontier frontier;
  std::array<Edge, kTileLevels + 1> edges;
  std::vector<FullTile> full;   // not written yet
  std::vector<Tile> unsettled;  // full and written, not known to be durable
  AssetMap map;
  std::unordered_map<Uuid, std::vector<uint64_t>, UuidHash> indices;

  void AddToEdge(unsigned which, std::string_view bytes) {
    Edge& edge = edges[which];
    edge.bytes += bytes;
    if (++edge.width < kTileWidth) return;
    full.push_back({TileOf(which, edge.index, kTileWidth), std::move(edge.bytes)});
    edge = {.index = edge.index + 1, .width = 0, .bytes = {}, .written_width = 0};
  }

  void AddToMap(const std::vector<Uuid>& assets, uint64_t index, const Hash& leaf) {
    for (const Uuid& asset : assets) {
      map.Add(asset, index, leaf);
      indices[asset].push_back(index);
    }
  }

  void Add(std::string_view entry, const std::vector<Uuid>& assets) {
    const Hash leaf = HashLeaf(AsBytes(entry));
    AddToMap(assets, frontier.size(), leaf);
    std::string framed;
    AppendToBundle(framed, entry);
    AddToEdge(kBundle, framed);
    frontier.Add(leaf, [this](unsigned level, uint64_t, const Hash& hash) {
      if (level % kTileHeight == 0) AddToEdge(level / kTileHeight, AsText(hash));
    });
  }
};

Log::Log(Parts parts) : parts_(std::move(parts)) {}
Log::~Log() = default;

Result<std::unique_ptr<Log>> Log::Open(Parts parts) {
  std::unique_ptr<Log> log(new Log(std::move(parts)));
  GC_TRY(log->head_.fence, log->parts_.journal.Claim());
  const Status recovered = log->Recover();
  if (!recovered && (!log->tail_ || log->signed_checkpoint_.empty())) return Fail(recovered.error());
  return log;
}

// ---- start ----

Status Log::Recover() {
  is_head_written_ = false;
  Status read = ReadHeadAndKept();
  if (read) read = ShowPublished();
  if (!read) {
    tail_.reset();
    return read;
  }
  return PublishHead();
}

Status Log::ReadHeadAndKept() {
  const uint64_t fence = head_.fence;
  GC_TRY(head_, parts_.journal.ReadHead());
  if (head_.fence != fence) {
    return Fail(Error(Code::kAborted, "another custodian has taken over the log"));
  }
  GC_TRY_VOID(CheckAgainstPublished(head_));
  GC_TRY(const std::vector<Journal::Kept> kept, parts_.journal.ReadKept());
  ++readings_;
  settled_ = kept.empty() ? head_.size : kept.front().first;
  GC_TRY_VOID(ReadFilesOrArchive(settled_));
  for (const Journal::Kept& part : kept) GC_TRY_VOID(AddKept(part));
  if (tail_->frontier.size() == head_.size && tail_->frontier.Root() == head_.root) return Ok();
  return Fail(Error::DataLoss("the files of the log and the catalog disagree: catalog has " +
                              std::to_string(head_.size) + " entries with the root " + ToBase64(head_.root) +
                              ", the files give " + std::to_string(tail_->frontier.size()) + " with " +
                              ToBase64(tail_->frontier.Root()) + "; `glasscase fsck` says where"));
}

// Until the head is written, readers have what they had. Where there is an archive, others may have shown
// more.
Status Log::ShowPublished() {
  if (!seen_ || seen_note_.empty() || !signed_checkpoint_.empty()) return Ok();
  GC_TRY(const auto archive, parts_.journal.ReadArchive(0, 1));
  if (!archive.empty()) return Ok();
  published_ = *seen_;
  signed_checkpoint_ = std::move(seen_note_);
  return Ok();
}

// A checkpoint that the world may have seen is the journal's head, or older where a batch was cut off; then
// it must be the beginning of the head's tree, which is found out on the way to the head (CheckBeginning).
Status Log::CheckAgainstPublished(const Head& head) {
  seen_.reset();
  seen_note_.clear();
  GC_TRY(const auto bytes, ReadFile(parts_.files, kCheckpointPath));
  const auto note = Note::Parse(bytes.value_or(""));
  const auto parsed = note ? Checkpoint::Parse(note->text) : Fail(note.error());
  // A power cut can leave a file without its bytes; it is written anew.
  if (!parsed) return CheckNothingBeyond(head.size);
  const Checkpoint& published = *parsed;
  if (published.origin != verifier().name()) {
    return Fail(Error::FailedPrecondition("the files are those of the log " + Printable(published.origin) +
                                          ", the key is that of " + verifier().name()));
  }
  if (published.size <= head.size) seen_ = published;
  if (note->IsSignedBy(verifier()).value_or(false)) seen_note_ = *bytes;
  const bool newer = published.size > head.size;
  const bool other = published.size == head.size && published.root != head.root;
  if (!newer && !other) return Ok();
  return Fail(Error::FailedPrecondition("the log has published " + std::to_string(published.size) +
                                        " entries, the catalog knows " + std::to_string(head.size) +
                                        (other ? " others" : "") +
                                        ": an old catalog was put back. Nothing is signed, so that there are "
                                        "no two histories; acts wait. Put the "
                                        "catalog back that belongs to this log, or see `glasscase ledger "
                                        "renew --help`"));
}

// The journal is ahead of the files at every moment: files of entries that it does not know were signed for.
Status Log::CheckNothingBeyond(uint64_t size) const {
  if (parts_.is_renewed) return Ok();
  const uint64_t edge = size / kTileWidth;
  for (uint64_t index = edge; index <= edge + 1; ++index) {
    const auto first = static_cast<uint32_t>(index == edge ? size % kTileWidth + 1 : 1);
    for (uint32_t width = first; width <= kTileWidth; ++width) {
      GC_TRY(const auto bytes, parts_.files.Read(TilePath(TileOf(kBundle, index, width))));
      if (bytes)
        return Fail(Error::FailedPrecondition(
            "the log's folder has files of more entries than the " + std::to_string(size) +
            " that the catalog knows, and no checkpoint: an old catalog was put back. Nothing is signed; "
            "acts wait. Put the catalog back that belongs to this log, or see `glasscase ledger renew "
            "--help`"));
    }
  }
  return Ok();
}

Status Log::CheckBeginning() const {
  const uint64_t size = tail_->frontier.size();
  if (!seen_ || seen_->size != size || size == head_.size) return Ok();  // the head is compared at the end
  if (seen_->root == tail_->frontier.Root()) return Ok();
  return Fail(
      Error::FailedPrecondition("the log has published another history of its first " + std::to_string(size) +
                                " entries than the catalog has. Nothing is signed; acts wait. Put the "
                                "catalog back that belongs to this log"));
}

Status Log::ReadFilesOrArchive(uint64_t size) {
  tail_ = std::make_unique<Tail>();
  Status read = ReadStored(size);
  if (read || read.error().code() == Code::kFailedPrecondition) return read;
  GC_TRY(const auto archive, parts_.journal.ReadArchive(0, 1));
  return archive.empty() ? read : WriteFromArchive(size);
}

// All of it, whatever the folder holds: that belongs to an earlier time or to nobody.
Status Log::WriteFromArchive(uint64_t size) {
  constexpr size_t kPartsAtOnce = 64;
  tail_ = std::make_unique<Tail>();
  while (tail_->frontier.size() < size) {
    GC_TRY(const auto parts, parts_.journal.ReadArchive(tail_->frontier.size(), kPartsAtOnce));
    for (const Journal::Kept& part : parts)
      if (tail_->frontier.size() < size) GC_TRY_VOID(AddKept(part));
    if (parts.empty())
      return Fail(Error::DataLoss("the catalog's archive of the log ends at entry " +
                                  std::to_string(tail_->frontier.size()) + " of " + std::to_string(size)));
    GC_TRY_VOID(WriteTiles());
  }
  return parts_.files.SyncAll();
}

// Everything up to `size` out of the entry bundles. Tiles follow from the entries: partial ones may be what a
// power cut has left, and are written again.
Status Log::ReadStored(uint64_t size) {
  GC_TRY_VOID(CheckBeginning());
  for (uint64_t first = 0; first < size; first += kTileWidth) {
    const Tile tile = TileOf(kBundle, first / kTileWidth, TileWidthAt(size, 0, first / kTileWidth));
    GC_TRY(const std::string bundle, ReadTile(tile));
    GC_TRY(const std::vector<std::string_view> entries, SplitFile(tile, bundle));
    GC_TRY_VOID(AddAll(entries));
    tail_->full.clear();
  }
  return Ok();
}

Status Log::AddAll(const std::vector<std::string_view>& entries) {
  for (const std::string_view entry : entries) {
    GC_TRY(const std::vector<Uuid> assets, AssetsOf(entry));
    tail_->Add(entry, assets);
    GC_TRY_VOID(CheckBeginning());
  }
  return Ok();
}

Status Log::AddKept(const Journal::Kept& kept) {
  if (kept.first != tail_->frontier.size()) {
    return Fail(Error::DataLoss("the catalog keeps entries from " + std::to_string(kept.first) +
                                " on, but the one after the last is " +
                                std::to_string(tail_->frontier.size())));
  }
  GC_TRY(const std::vector<std::string_view> entries, SplitBundle(kept.framed, kept.count));
  return AddAll(entries);
}

// ---- a batch ----

Result<bool> Log::Publish() {
  if (!tail_) {
    GC_TRY_VOID(Recover());
  } else if (!is_head_written_) {
    GC_TRY_VOID(PublishHead());
  }
  GC_TRY(const std::vector<WaitingEntry> waiting, parts_.journal.Waiting(kBatchEntriesMax, kBatchBytesMax));
  if (waiting.empty()) return false;
  std::string framed;
  for (const WaitingEntry& entry : waiting) {
    AppendToBundle(framed, entry.entry);
    tail_->Add(entry.entry, entry.assets);
  }
  const std::string map_entry = MapEntry(tail_->frontier.size(), tail_->map.Root());
  AppendToBundle(framed, map_entry);
  tail_->Add(map_entry, {});
  const Head next{.size = tail_->frontier.size(), .root = tail_->frontier.Root(), .fence = head_.fence};
  Step("advance");
  const Status advanced = parts_.journal.Advance(head_, next, waiting.back().sequence, framed);
  if (!advanced) {
    tail_.reset();  // it is ahead of the journal; what is true is read anew
    return Fail(advanced.error());
  }
  head_ = next;
  is_head_written_ = false;
  GC_TRY_VOID(PublishHead());
  return true;
}

Status Log::PublishHead() {
  GC_TRY_VOID(WriteTiles());
  Note note{
      .text = Checkpoint{.origin = verifier().name(), .size = head_.size, .root = head_.root}.ToString(),
      .signatures = {}};
  note.signatures.push_back(parts_.signer.Sign(note.text));
  std::string signed_note = note.ToString();
  Step("checkpoint");
  GC_TRY_VOID(parts_.files.Write(kCheckpointPath, signed_note));
  published_ = {.origin = verifier().name(), .size = head_.size, .root = head_.root};
  signed_checkpoint_ = std::move(signed_note);
  is_head_written_ = true;
  return Ok();
}

Status Log::WriteTiles() {
  Step("tiles");
  while (!tail_->full.empty()) {
    const FullTile& full = tail_->full.back();
    GC_TRY_VOID(parts_.files.Write(TilePath(full.tile), full.bytes));
    tail_->unsettled.push_back(full.tile);
    tail_->full.pop_back();
  }
  for (unsigned which = 0; which <= kBundle; ++which) {
    Edge& edge = tail_->edges[which];
    if (edge.width == edge.written_width) continue;
    GC_TRY_VOID(parts_.files.Write(TilePath(TileOf(which, edge.index, edge.width)), edge.bytes));
    edge.written_width = edge.width;
  }
  return Ok();
}

// ---- settling ----

// What is published may be of an earlier life, and not written again in this one: until the head is, nothing
// is forgotten.
Log::Settling Log::BeginSettle() const {
  if (!tail_ || !is_head_written_) return {};
  return {.full = tail_->unsettled, .size = published_.size / kTileWidth * kTileWidth, .reading = readings_};
}

Status Log::SettleFiles(LogFiles& files, const Settling& settling) {
  std::vector<std::string> paths;
  // First, so that the disk is not given them: the journal still has their entries.
  for (const Tile& full : settling.full) {
    GC_TRY_VOID(files.RemovePartials(full));
    paths.push_back(TilePath(full));
  }
  return files.Sync(paths);
}

Status Log::EndSettle(const Settling& settling, const Status& settled) {
  if (!tail_ || settling.reading != readings_) return settled;  // they have been written once more since
  if (!settled) {
    tail_.reset();
    return settled;
  }
  Step("forget");
  GC_TRY_VOID(parts_.journal.Forget(settling.size));
  settled_ = settling.size;
  tail_->unsettled.erase(tail_->unsettled.begin(),
                         tail_->unsettled.begin() + static_cast<std::ptrdiff_t>(settling.full.size()));
  return Ok();
}

Status Log::Settle() {
  if (!tail_ || !is_head_written_ || published_.size == settled_) return Ok();
  Step("sync");
  GC_TRY_VOID(parts_.files.SyncAll());
  Step("forget");
  GC_TRY_VOID(parts_.journal.Forget(published_.size));
  settled_ = published_.size;
  for (const Tile& full : tail_->unsettled) GC_TRY_VOID(parts_.files.RemovePartials(full));
  tail_->unsettled.clear();
  return Ok();
}

// ---- answers ----

Result<std::string> Log::ReadTile(const Tile& tile) const {
  GC_TRY(const auto bytes, ReadFile(parts_.files, TilePath(tile)));
  if (bytes) return *bytes;
  if (!tile.IsFull()) return ReadBeginning(tile);
  return Fail(Error::DataLoss("the log's file " + TilePath(tile) + " is missing" + std::string(kAskFsck)));
}

// A partial tile out of the full one that has replaced it.
Result<std::string> Log::ReadBeginning(const Tile& tile) const {
  Tile full = tile;
  full.width = kTileWidth;
  GC_TRY(std::string bytes, ReadTile(full));
  if (!tile.entries) return bytes.substr(0, tile.width * sizeof(Hash));
  GC_TRY(const std::vector<std::string_view> entries, SplitFile(full, bytes));
  std::string beginning;
  for (size_t i = 0; i < tile.width; ++i) AppendToBundle(beginning, entries[i]);
  return beginning;
}

Result<std::string> Log::EntryAt(uint64_t index) const {
  if (index >= published_.size) {
    return Fail(Error::OutOfRange("entry " + std::to_string(index) + " is not in the log of " +
                                  std::to_string(published_.size)));
  }
  const uint64_t number = index / kTileWidth;
  const Tile tile = TileOf(kBundle, number, TileWidthAt(published_.size, 0, number));
  GC_TRY(const std::string bundle, ReadTile(tile));
  GC_TRY(const std::vector<std::string_view> entries, SplitFile(tile, bundle));
  return std::string(entries[index % kTileWidth]);
}

Result<Receipt> Log::ReceiptFor(uint64_t index) const {
  if (index < cosigned_.size) return ReceiptAt(index, cosigned_.size, cosigned_checkpoint_);
  return ReceiptAt(index, published_.size, signed_checkpoint_);
}

Result<Receipt> Log::ReceiptAt(uint64_t index, uint64_t size, const std::string& checkpoint) const {
  TileReader reader(size, [this](const Tile& tile) { return ReadTile(tile); });
  Receipt receipt{.extra = {}, .index = index, .proof = {}, .checkpoint = checkpoint};
  GC_TRY(receipt.proof, ProveInclusion(index, size, reader));
  return receipt;
}

Result<Proof> Log::ConsistencyFrom(uint64_t old_size, std::optional<uint64_t> size) const {
  const uint64_t to = size.value_or(published_.size);
  TileReader reader(to, [this](const Tile& tile) { return ReadTile(tile); });
  return ProveConsistency(old_size, to, reader);
}

Status Log::KeepCosigned(std::string signed_checkpoint) {
  GC_TRY(const Note note, Note::Parse(signed_checkpoint));
  GC_TRY(const Checkpoint checkpoint, Checkpoint::Parse(note.text));
  const auto is_signed = note.IsSignedBy(verifier());
  if (!is_signed || !*is_signed || checkpoint.size > published_.size)
    return Fail(Error::InvalidArgument("not a checkpoint that this log has signed"));
  if (checkpoint == published_) {
    GC_TRY_VOID(parts_.files.Write(kCheckpointPath, signed_checkpoint));
    signed_checkpoint_ = signed_checkpoint;
  }
  cosigned_ = checkpoint;
  cosigned_checkpoint_ = std::move(signed_checkpoint);
  return Ok();
}

Result<std::vector<uint64_t>> Log::IndicesOf(const Uuid& asset) const {
  if (!tail_) return Fail(Error::Unavailable("the log is to be read anew"));
  const auto found = tail_->indices.find(asset);
  return found == tail_->indices.end() ? std::vector<uint64_t>() : found->second;
}

Result<std::vector<uint64_t>> Log::EntriesOf(const Uuid& asset) const {
  GC_TRY(std::vector<uint64_t> all, IndicesOf(asset));
  all.erase(std::lower_bound(all.begin(), all.end(), published_.size), all.end());
  return all;
}

Result<Log::History> Log::HistoryOf(const Uuid& asset) const {
  if (!tail_ || published_.size != head_.size || published_.size == 0)
    return Fail(Error::Unavailable("the log is catching up"));
  History history;
  GC_TRY(history.indices, EntriesOf(asset));
  history.proof = tail_->map.Prove(asset);
  GC_TRY(history.map_receipt, ReceiptAt(published_.size - 1, published_.size, signed_checkpoint_));
  GC_TRY(history.map_receipt.extra, EntryAt(published_.size - 1));
  return history;
}

}  // namespace glasscase::ledger
