#include "fsck.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include <boost/json.hpp>

#include <glasscase/crypto/random.h>
#include <glasscase/crypto/sha256.h>
#include <glasscase/json/strict.h>
#include <glasscase/ledger/asset_map.h>
#include <glasscase/ledger/entry.h>
#include <glasscase/ledger/file_check.h>
#include <glasscase/ledger_filesystem/log_folder.h>
#include <glasscase/operations/ledger_check.h>

#include "catalog_copy.h"
#include "data_directory.h"
#include "ledger_key.h"

namespace glasscase::custodian {
namespace {

namespace fs = std::filesystem;

class Examination {
 public:
  using Problem = std::function<void(std::string_view, std::string_view)>;

  // `bucket`: where blobs are, when not in the directory.
  Examination(std::string directory, const Problem& problem, const blobs::BlobStore* bucket)
      : directory_(std::move(directory)), tell_(problem), bucket_(bucket) {}

  // The log before the catalog: what is published has been in the catalog before, also while acts go on.
  Status CheckLog() {
    GC_TRY_VOID(CheckLogFiles());
    ListLogFolder();
    return Ok();
  }

  Status CheckCatalog(catalog::Catalog& catalog) {
    GC_TRY_VOID(CheckJournal(catalog.Journal()));
    CheckOtherFiles();
    std::map<std::string, uint64_t> blobs;  // digest in hexadecimal, bytes
    std::optional<Uuid> asset;
    const auto each_version = [&](const catalog::Version& version) -> Status {
      report_.assets += asset == version.model ? 0 : 1;
      asset = version.model;
      if (version.state == catalog::VersionState::kErased) return Ok();
      GC_TRY(const auto files, catalog.FilesOf(version.id));
      for (const catalog::VersionFile& file : files) blobs[ToHex(file.sha256)] = file.bytes;
      return Ok();
    };
    GC_TRY_VOID(entries_.CompareWithCatalog(
        catalog, [this](std::string_view row, std::string_view what) { Note(row, what); }, each_version));
    for (const auto& [hex, bytes] : blobs) CheckBlob(hex, bytes);
    return Ok();
  }
  const FsckReport& report() const { return report_; }

 private:
  void Note(std::string_view where, std::string_view what) {
    ++report_.problems;
    tell_(where, what);
  }

  Status CheckLogFiles() {
    GC_TRY(Fd folder, OpenFolder(directory_ + "/" + kLogFolder));
    GC_TRY(files_, ledger::OpenLogFolder(std::move(folder)));
    GC_TRY(const Fd directory, OpenFolder(directory_));
    GC_TRY(const ledger::NoteSigner signer, LoadLedgerKey(directory.get()));
    const auto checked = ledger::CheckLogFiles(*files_, signer.verifier(), file_check_);
    if (!checked) {
      Note("log/checkpoint", checked.error().message());
      return Ok();
    }
    checkpoint_ = *checked;
    return Ok();
  }

  void Take(uint64_t index, std::string_view entry, const ledger::Hash& leaf) {
    report_.entries = index + 1;
    const std::string where = "entry " + std::to_string(index);
    const Status taken = entries_.Take(index, entry, leaf);
    if (!taken) Note(where, taken.error().message());
  }

  // The journal against the files: what it keeps, and where it says the log ends.
  Status CheckJournal(const ledger::Journal& journal) {
    GC_TRY(const ledger::Head head, journal.ReadHead());
    if (checkpoint_.size > head.size) {
      Note("catalog.db: ledger_head", "the log has published " + std::to_string(checkpoint_.size) +
                                          " entries, the catalog knows " + std::to_string(head.size) +
                                          ": an old catalog was put back");
    } else if (checkpoint_.size == head.size && checkpoint_.root != head.root) {
      Note("catalog.db: ledger_head", "its root is not that of the published checkpoint");
    }
    GC_TRY(const auto kept, journal.ReadKept());
    for (const auto& part : kept) {
      const auto entries = ledger::SplitBundle(part.framed, part.count);
      if (!entries) {
        Note("catalog.db: ledger_kept", entries.error().message());
        continue;
      }
      for (size_t i = 0; i < entries->size(); ++i) CheckKept(part.first + i, (*entries)[i]);
    }
    GC_TRY(const auto waiting, journal.Waiting(SIZE_MAX, SIZE_MAX));
    for (const auto& entry : waiting) {
      const Status taken = entries_.TakeWaiting(entry.entry);
      if (!taken) Note("catalog.db: ledger_outbox", taken.error().message());
    }
    return Ok();
  }

  void CheckKept(uint64_t index, std::string_view entry) {
    const ledger::Hash leaf = ledger::HashLeaf(AsBytes(entry));
    if (index < report_.entries) {
      if (entries_.LeafAt(index) != leaf)
        Note("catalog.db: ledger_kept",
             "entry " + std::to_string(index) + " is not the one in the log's files");
      return;
    }
    Take(index, entry, leaf);
  }

  void ListLogFolder() {
    const fs::path folder = fs::path(directory_) / kLogFolder;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      if (entry.is_directory() && !entry.is_symlink()) continue;
      const std::string path = entry.path().lexically_relative(folder);
      if (path != ".writing") log_paths_.push_back(path);
    }
  }

  // Those that no tile of the published size is in: older partial ones, and what does not belong there.
  void CheckOtherFiles() {
    for (const std::string& path : log_paths_) {
      const std::string where = std::string(kLogFolder) + "/" + path;
      if (!ledger::BelongsToLog(path, std::max(checkpoint_.size, report_.entries))) {
        Note(where, "is no file of this log");
        continue;
      }
      const Status older = ledger::CheckOlderFile(*files_, path, checkpoint_.size, file_check_);
      if (!older) Note(where, older.error().message());
    }
  }

  Result<Fd> OpenBlob(const std::string& path, const std::string& hex) const {
    if (bucket_) {
      GC_TRY(const Digest sha256, DigestFromHex(hex));
      return bucket_->Open(sha256);
    }
    Fd file(::open((directory_ + "/" + path).c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (!file.valid()) return Fail(Error::FromErrno(errno, "cannot open it"));
    return file;
  }

  void CheckBlob(const std::string& hex, uint64_t bytes) {
    ++report_.blobs;
    const std::string path = "blobs/sha256/" + hex.substr(0, 2) + "/" + hex;
    const auto opened = OpenBlob(path, hex);
    if (!opened)
      return Note(path, opened.error().code() == Code::kNotFound ? "is missing" : opened.error().message());
    const Fd& file = *opened;
    Sha256Stream hash;
    std::vector<uint8_t> buffer(size_t{1} << 20);
    uint64_t read = 0;
    while (true) {
      const ssize_t got = ::read(file.get(), buffer.data(), buffer.size());
      if (got < 0) return Note(path, "cannot be read: " + Error::FromErrno(errno, "read").message());
      if (got == 0) break;
      read += static_cast<uint64_t>(got);
      hash.Update(ByteSpan(buffer.data(), static_cast<size_t>(got)));
    }
    if (read != bytes)
      Note(path, "has " + std::to_string(read) + " bytes instead of " + std::to_string(bytes));
    else if (ToHex(hash.Finish()) != hex)
      Note(path, "was changed: its bytes have another SHA-256");
  }

  std::string directory_;
  const Problem& tell_;
  const blobs::BlobStore* bucket_;
  const ledger::FileCheck file_check_{
      .problem =
          [this](std::string_view path, std::string_view what) {
            Note(std::string(kLogFolder) + "/" + std::string(path), what);
          },
      .entry = [this](uint64_t index, std::string_view entry,
                      const ledger::Hash& leaf) { Take(index, entry, leaf); }};
  std::unique_ptr<ledger::LogFiles> files_;
  std::vector<std::string> log_paths_;
  FsckReport report_;
  ledger::Checkpoint checkpoint_{.origin = {}, .size = 0, .root = ledger::EmptyRoot()};
  operations::LedgerCheck entries_;
};

// A bucket is read itself, not through the cache in the data directory: into a folder that goes again.
struct Bucket {
  std::unique_ptr<TemporaryFolder> folder;
  std::unique_ptr<blobs::BlobStore> store;  // null: blobs are in the data directory
};

Result<Bucket> OpenBucket(const Stores& stores) {
  Bucket bucket;
  if (stores.settings().AreBlobsLocal()) return bucket;
  GC_TRY(bucket.folder, TemporaryFolder::Make());
  GC_TRY(bucket.store, stores.OpenBlobs({.local_folder = bucket.folder->path.string(), .cache_bytes = 0}));
  return bucket;
}

}  // namespace

Result<FsckReport> Fsck(const std::string& directory, const StoreSettings& settings, const Clock& clock,
                        const std::function<void(std::string_view, std::string_view)>& problem) try {
  if (settings.IsCatalogLocal() && !fs::exists(fs::path(directory) / kCatalogFile))
    return Fail(Error::NotFound("no installation in " + directory));
  GC_TRY(const Fd directory_fd, OpenFolder(directory));
  SystemRandom random;
  GC_TRY(const Stores stores, Stores::Prepare(settings, directory_fd.get(), clock, random));
  GC_TRY(const auto bucket, OpenBucket(stores));
  // Copying reads all of the catalog. Where nobody changes it, that is done beside the log.
  const std::launch when = IsServed(directory) ? std::launch::deferred : std::launch::async;
  auto copying = std::async(when, [&] { return CatalogCopy::Make(directory, stores, clock); });
  Examination examination(directory, problem, bucket.store.get());
  GC_TRY_VOID(examination.CheckLog());
  GC_TRY(CatalogCopy copy, copying.get());
  GC_TRY_VOID(examination.CheckCatalog(copy.catalog()));
  return examination.report();
} catch (const fs::filesystem_error& error) {
  return Fail(Error::FromErrno(error.code().value(), error.path1().string()));
}

}  // namespace glasscase::custodian
