#include "migrate.h"

#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <vector>

#include <glasscase/blobs_filesystem/filesystem_blob_store.h>
#include <glasscase/catalog/copy.h>
#include <glasscase/crypto/sha256.h>
#include <glasscase/ledger/log.h>
#include <glasscase/process/file_io.h>

#include "data_directory.h"
#include "ledger_key.h"
#include "stopped.h"

namespace glasscase::custodian {
namespace {

namespace fs = std::filesystem;

class Move {
 public:
  using Say = std::function<void(std::string_view)>;

  Move(const MigrateOptions& options, const Clock& clock, RandomSource& random, const Say& say)
      : options_(options), clock_(clock), random_(random), say_(say) {}

  Status Run() {
    if (!moves_catalog() && !moves_blobs())
      return Fail(Error::FailedPrecondition("catalog and blobs are there already: nothing is to be moved"));
    GC_TRY(from_, OpenStopped(options_.directory, options_.from, clock_, random_));
    GC_TRY(to_, Stores::Prepare(options_.to, from_.directory.get(), clock_, random_));
    if (moves_catalog() && options_.to.IsCatalogLocal() && fs::exists(CatalogPath()))
      return Fail(Error::AlreadyExists("catalog.db is there already: rename it first"));
    GC_TRY_VOID(SettleLog());
    if (moves_blobs()) GC_TRY_VOID(MoveBlobs());
    if (moves_catalog()) GC_TRY_VOID(MoveCatalog());
    return GiveToCustodian(options_.directory);
  }

 private:
  bool moves_catalog() const { return options_.from.catalog != options_.to.catalog; }
  bool moves_blobs() const { return options_.from.blobs != options_.to.blobs; }
  catalog::Catalog& source() { return *from_.catalog; }
  std::string CatalogPath() const { return options_.directory + "/" + kCatalogFile; }

  // All entries are published and in durable files: only then is the log the same for both catalogs.
  Status SettleLog() {
    GC_TRY(ledger::NoteSigner signer, LoadLedgerKey(from_.directory.get()));
    GC_TRY(const auto log,
           ledger::Log::Open(
               {.journal = source().Journal(), .files = *from_.log_files, .signer = std::move(signer)}));
    bool more = true;
    while (more) {
      GC_TRY(more, log->Publish());
    }
    return log->Settle();
  }

  // ---- catalog ----

  Status MoveCatalog() {
    GC_TRY(const auto target, to_->OpenCatalog({.create = true, .path = CatalogPath()}));
    GC_TRY(const auto there, target->Setting(catalog::kInstallationSetting));
    if (there)
      return Fail(Error::AlreadyExists("the new catalog belongs to an installation already: " + *there));
    GC_TRY_VOID(MoveJournal(*target));
    GC_TRY_VOID(catalog::CopyRows(source(), *target));
    GC_TRY(const catalog::RowsDigest before, catalog::DigestRows(source()));
    GC_TRY(const catalog::RowsDigest after, catalog::DigestRows(*target));
    if (before != after)
      return Fail(Error::DataLoss("the new catalog does not hold what the old one holds; it is not used"));
    say_("moved the catalog: " + std::to_string(after.rows) + " rows, the same in both (SHA-256 " +
         ToHex(after.sha256) + ")");
    GC_TRY(auto transaction, source().Begin());
    GC_TRY_VOID(transaction->SetSetting(kMovedSetting,
                                        options_.to.IsCatalogLocal() ? kCatalogFile : options_.to.catalog));
    return transaction->Commit();
  }

  Status MoveJournal(catalog::Catalog& target) {
    GC_TRY(const ledger::Head head, source().Journal().ReadHead());
    GC_TRY(const auto waiting, source().Journal().Waiting(1, SIZE_MAX));
    if (!waiting.empty())
      return Fail(Error::FailedPrecondition("the ledger has entries that are not published; see the status"));
    uint64_t next = 0;
    GC_TRY_VOID(target.Journal().Adopt(head, [&]() -> Result<std::optional<ledger::Journal::Kept>> {
      if (next >= head.size) return std::nullopt;
      GC_TRY(ledger::Journal::Kept part, ReadBundle(head.size, next));
      next += part.count;
      return part;
    }));
    say_("moved the log: " + std::to_string(head.size) + " entries");
    return Ok();
  }

  Result<ledger::Journal::Kept> ReadBundle(uint64_t size, uint64_t first) {
    ledger::Tile tile{.entries = true, .index = first / ledger::kTileWidth};
    tile.width = ledger::TileWidthAt(size, 0, tile.index);
    GC_TRY(auto framed, from_.log_files->Read(TilePath(tile)));
    if (!framed)
      return Fail(Error::DataLoss("the log's file " + TilePath(tile) + " is missing; see glasscase fsck"));
    GC_TRY_VOID(ledger::SplitBundle(*framed, tile.width));
    return ledger::Journal::Kept{.first = first, .count = tile.width, .framed = *std::move(framed)};
  }

  // ---- blobs ----

  Status MoveBlobs() {
    GC_TRY(const auto wanted, BlobsInUse());
    GC_TRY(const auto source, from_.stores->OpenBlobs());
    GC_TRY(const auto target, to_->OpenBlobs());
    uint64_t bytes = 0;
    for (const auto& [sha256, size] : wanted) {
      GC_TRY_VOID(CopyBlob(*source, *target, sha256));
      GC_TRY(const uint64_t there, target->Size(sha256));
      if (there != size)
        return Fail(Error::DataLoss("blob " + ToHex(sha256) + " has " + std::to_string(there) +
                                    " bytes in the new store instead of " + std::to_string(size)));
      bytes += size;
    }
    GC_TRY_VOID(ReadBack(wanted));
    say_("moved the blobs: " + std::to_string(wanted.size()) + " with " + std::to_string(bytes) +
         " bytes, read back with the same SHA-256");
    return Ok();
  }

  using Blobs = std::map<Digest, uint64_t>;
  Result<Blobs> BlobsInUse() {
    Blobs wanted;
    GC_TRY_VOID(source().EachModel(std::nullopt, [&](const catalog::Model& model) -> Status {
      GC_TRY(const auto versions, source().VersionsOf(model.id));
      for (const catalog::Version& version : versions) {
        if (version.state == catalog::VersionState::kErased) continue;
        GC_TRY(const auto files, source().FilesOf(version.id));
        for (const catalog::VersionFile& file : files) wanted[file.sha256] = file.bytes;
      }
      return Ok();
    }));
    return wanted;
  }

  static Status CopyBlob(blobs::BlobStore& source, blobs::BlobStore& target, const Digest& sha256) {
    GC_TRY(const Fd file, source.Open(sha256));
    GC_TRY(const auto staged, target.Stage());
    GC_TRY_VOID(EachPiece(file.get(), [&](ByteSpan piece) { return staged->Append(piece); }));
    GC_TRY(const Digest found, staged->Finish());
    if (found != sha256)
      return Fail(
          Error::DataLoss("blob " + ToHex(sha256) + " is damaged in the old store; see glasscase fsck"));
    return staged->Commit();
  }

  static Status EachPiece(int file, const std::function<Status(ByteSpan)>& take) {
    return process::ReadPieces(file, std::numeric_limits<uint64_t>::max(), "cannot read a blob", take);
  }

  // Out of the new store itself, not out of the cache in front of it.
  Status ReadBack(const Blobs& wanted) {
    const fs::path folder = fs::path(options_.directory) / "staging" / "read-back";
    std::error_code ignored;
    fs::create_directories(folder);
    GC_TRY(const auto store, to_->OpenBlobs({.local_folder = folder.string(), .cache_bytes = 0}));
    Status read = Ok();
    for (const auto& [sha256, size] : wanted) {
      if (read) read = ReadBackOne(*store, sha256);
    }
    fs::remove_all(folder, ignored);
    return read;
  }

  static Status ReadBackOne(const blobs::BlobStore& store, const Digest& sha256) {
    GC_TRY(const Fd file, store.Open(sha256));
    Sha256Stream hash;
    GC_TRY_VOID(EachPiece(file.get(), [&](ByteSpan piece) {
      hash.Update(piece);
      return Ok();
    }));
    if (hash.Finish() == sha256) return Ok();
    return Fail(Error::DataLoss("blob " + ToHex(sha256) + " has other bytes in the new store"));
  }

  const MigrateOptions& options_;
  const Clock& clock_;
  RandomSource& random_;
  const Say& say_;
  Stopped from_;
  std::optional<Stores> to_;
};

}  // namespace

Status Migrate(const MigrateOptions& options, const Clock& clock, RandomSource& random,
               const std::function<void(std::string_view)>& say) try {
  return Move(options, clock, random, say).Run();
} catch (const fs::filesystem_error& error) {
  return Fail(Error::FromErrno(error.code().value(), error.path1().string()));
}

}  // namespace glasscase::custodian
