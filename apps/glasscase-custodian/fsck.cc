#include "fsck.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include <boost/json.hpp>

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

  Examination(std::string directory, catalog::Catalog& catalog, const Problem& problem)
      : directory_(std::move(directory)), catalog_(catalog), tell_(problem), entries_(catalog) {}

  Status Run() {
    GC_TRY_VOID(CheckLog());
    GC_TRY_VOID(CheckJournal());
    GC_TRY_VOID(entries_.CompareWithCatalog(
        [this](std::string_view row, std::string_view what) { Note(row, what); }));
    GC_TRY_VOID(CheckLitter());
    return CheckBlobs();
  }
  const FsckReport& report() const { return report_; }

 private:
  void Note(std::string_view where, std::string_view what) {
    ++report_.problems;
    tell_(where, what);
  }

  Status CheckLog() {
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
  Status CheckJournal() {
    GC_TRY(const ledger::Head head, catalog_.Journal().ReadHead());
    if (checkpoint_.size > head.size) {
      Note("catalog.db: ledger_head", "the log has published " + std::to_string(checkpoint_.size) +
                                          " entries, the catalog knows " + std::to_string(head.size) +
                                          ": an old catalog was put back");
    } else if (checkpoint_.size == head.size && checkpoint_.root != head.root) {
      Note("catalog.db: ledger_head", "its root is not that of the published checkpoint");
    }
    GC_TRY(const auto kept, catalog_.Journal().ReadKept());
    for (const auto& part : kept) {
      const auto entries = ledger::SplitBundle(part.framed, part.count);
      if (!entries) {
        Note("catalog.db: ledger_kept", entries.error().message());
        continue;
      }
      for (size_t i = 0; i < entries->size(); ++i) CheckKept(part.first + i, (*entries)[i]);
    }
    GC_TRY(const auto waiting, catalog_.Journal().Waiting(SIZE_MAX, SIZE_MAX));
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

  Status CheckLitter() {
    const fs::path folder = fs::path(directory_) / kLogFolder;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      if (entry.is_directory() && !entry.is_symlink()) continue;
      const std::string path = entry.path().lexically_relative(folder);
      if (path == ".writing") continue;
      const uint64_t size = std::max(checkpoint_.size, report_.entries);
      if (!ledger::BelongsToLog(path, size)) {
        Note(std::string(kLogFolder) + "/" + path, "is no file of this log");
      } else if (const Status older = ledger::CheckOlderFile(*files_, path, checkpoint_.size, file_check_);
                 !older) {
        Note(std::string(kLogFolder) + "/" + path, older.error().message());
      }
    }
    return Ok();
  }

  Status CheckBlobs() {
    std::map<std::string, uint64_t> wanted;
    GC_TRY_VOID(catalog_.EachModel(std::nullopt, [&](const catalog::Model& model) -> Status {
      ++report_.assets;
      GC_TRY(const auto versions, catalog_.VersionsOf(model.id));
      for (const catalog::Version& version : versions) {
        if (version.state == catalog::VersionState::kErased) continue;
        GC_TRY(const auto files, catalog_.FilesOf(version.id));
        for (const catalog::VersionFile& file : files) wanted[ToHex(file.sha256)] = file.bytes;
      }
      return Ok();
    }));
    for (const auto& [hex, bytes] : wanted) CheckBlob(hex, bytes);
    return Ok();
  }

  void CheckBlob(const std::string& hex, uint64_t bytes) {
    ++report_.blobs;
    const std::string path = "blobs/sha256/" + hex.substr(0, 2) + "/" + hex;
    const Fd file(::open((directory_ + "/" + path).c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (!file.valid()) return Note(path, "is missing");
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
  catalog::Catalog& catalog_;
  const Problem& tell_;
  const ledger::FileCheck file_check_{
      .problem =
          [this](std::string_view path, std::string_view what) {
            Note(std::string(kLogFolder) + "/" + std::string(path), what);
          },
      .entry = [this](uint64_t index, std::string_view entry,
                      const ledger::Hash& leaf) { Take(index, entry, leaf); }};
  std::unique_ptr<ledger::LogFiles> files_;
  FsckReport report_;
  ledger::Checkpoint checkpoint_{.origin = {}, .size = 0, .root = ledger::EmptyRoot()};
  operations::LedgerCheck entries_;
};

}  // namespace

Result<FsckReport> Fsck(const std::string& directory, const Clock& clock,
                        const std::function<void(std::string_view, std::string_view)>& problem) try {
  GC_TRY(CatalogCopy copy, CatalogCopy::Make(directory, clock));
  Examination examination(directory, copy.catalog(), problem);
  GC_TRY_VOID(examination.Run());
  return examination.report();
} catch (const fs::filesystem_error& error) {
  return Fail(Error::FromErrno(error.code().value(), error.path1().string()));
}

}  // namespace glasscase::custodian
