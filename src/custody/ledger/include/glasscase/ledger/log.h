// The log: takes what waits in the journal, in order, and publishes it.
//
// One batch: the waiting entries and a map entry get their places; the journal's head moves by
// compare-and-set (from here on they are in the log, whatever happens); tiles and bundles are written; the
// checkpoint is signed and published. Ed25519 signs the same bytes the same way, so a batch that was cut off
// anywhere is finished at the next start and never signed otherwise.
//
// Files are made durable later, and only those of full tiles: until then, and of the tiles that are not full,
// the journal keeps the entries. A log of many small batches writes a partial tile for each of them, and most
// of these are gone again before the disk has seen them.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <glasscase/ledger/asset_map.h>
#include <glasscase/ledger/entry.h>
#include <glasscase/ledger/files.h>
#include <glasscase/ledger/journal.h>
#include <glasscase/ledger/note.h>
#include <glasscase/ledger/receipt.h>

namespace glasscase::ledger {

// One thread.
class Log {
 public:
  static constexpr size_t kBatchEntriesMax = 4'096;
  static constexpr size_t kBatchBytesMax = size_t{4} << 20;
  static constexpr uint64_t kSettleEntries = 8'192;  // BeginSettle at the latest after so many

  struct Parts {
    Journal& journal;
    LogFiles& files;
    NoteSigner signer;
    // The log goes on under a new name and key: the files are those of the old name, perhaps of more entries
    // than the journal knows. Whoever says so has taken the old checkpoint away.
    bool is_renewed = false;
    // Called with the name of each durable step, before it is taken: for tests that end the process there.
    std::function<void(std::string_view)> before_step{};
  };

  // Claims the log and finishes what was cut off. Where that cannot be written (a full disk), the log opens
  // with what is published, and Publish says why. Files that are missing or damaged are written again where
  // the journal has an archive (another custodian wrote the log so far). FailedPrecondition when the
  // published checkpoint, or without one any other file, is newer than the journal or disagrees with it (a
  // restored backup): nothing is signed then. DataLoss when files and journal do not give the head's root.
  static Result<std::unique_ptr<Log>> Open(Parts parts);
  ~Log();

  // Publishes one batch; false when nothing waits. Aborted when somebody else has claimed the log: open it
  // again, or end. After any other error the next call goes on where this one stopped.
  Result<bool> Publish();

  // What is to be made durable beside the log's own thread: BeginSettle says what, SettleFiles does it on any
  // thread while the log goes on, EndSettle lets the journal forget. One at a time.
  struct Settling {
    std::vector<Tile> full;  // empty: nothing to do
    uint64_t size = 0;       // the entries that they hold for good
    uint64_t reading = 0;    // which reading of the journal this belongs to
  };
  Settling BeginSettle() const;
  static Status SettleFiles(LogFiles& files, const Settling& settling);
  // With what SettleFiles said. After an error all that the journal keeps is written once more: a disk that
  // has failed to write forgets what it was given.
  Status EndSettle(const Settling& settling, const Status& settled);
  // Entries that the journal keeps.
  uint64_t unsettled() const { return head_.size - settled_; }
  // All files at once, partial ones too, and the journal keeps nothing: before the end of the process.
  Status Settle();

  uint64_t size() const { return published_.size; }
  const Checkpoint& checkpoint() const { return published_; }
  const std::string& signed_checkpoint() const { return signed_checkpoint_; }
  const NoteVerifier& verifier() const { return parts_.signer.verifier(); }

  // OutOfRange for what is not published yet.
  Result<std::string> EntryAt(uint64_t index) const;
  // Without `extra`. As of the newest checkpoint that witnesses signed, when it has the entry; else of the
  // newest.
  Result<Receipt> ReceiptFor(uint64_t index) const;
  // From `old_size` to `size`, the published one when not given.
  Result<Proof> ConsistencyFrom(uint64_t old_size, std::optional<uint64_t> size = {}) const;

  // A checkpoint of this log with signatures of witnesses: published in place of the same without, when no
  // newer one is published yet, and used in receipts. InvalidArgument when it is not this log's.
  Status KeepCosigned(std::string signed_checkpoint);

  // Where an asset's entries stand, also those of a batch that is not published yet; EntriesOf: only those
  // that are. Unavailable while the log is to be read anew.
  Result<std::vector<uint64_t>> IndicesOf(const Uuid& asset) const;
  Result<std::vector<uint64_t>> EntriesOf(const Uuid& asset) const;

  // All entries of an asset with the proof that none is missing, as of the newest checkpoint. Unavailable
  // while that is not the head.
  struct History {
    std::vector<uint64_t> indices;
    MapProof proof;
    Receipt map_receipt;  // of the map entry; `extra` is that entry
  };
  Result<History> HistoryOf(const Uuid& asset) const;

 private:
  struct Tail;
  explicit Log(Parts parts);
  Status Recover();
  Status ReadHeadAndKept();
  Status CheckAgainstPublished(const Head& head);
  Status CheckNothingBeyond(uint64_t size) const;
  Status ShowPublished();
  Status CheckBeginning() const;
  Result<Receipt> ReceiptAt(uint64_t index, uint64_t size, const std::string& checkpoint) const;
  Status ReadStored(uint64_t size);
  Status ReadFilesOrArchive(uint64_t size);
  Status WriteFromArchive(uint64_t size);
  Status AddKept(const Journal::Kept& kept);
  Status AddAll(const std::vector<std::string_view>& entries);
  Status PublishHead();
  Status WriteTiles();
  Result<std::string> ReadTile(const Tile& tile) const;
  Result<std::string> ReadBeginning(const Tile& tile) const;
  void Step(std::string_view name) const {
    if (parts_.before_step) parts_.before_step(name);
  }

  Parts parts_;
  Head head_;
  Checkpoint published_;
  std::string signed_checkpoint_;
  Checkpoint cosigned_;  // size 0: none
  std::string cosigned_checkpoint_;
  uint64_t settled_ = 0;
  uint64_t readings_ = 0;
  std::optional<Checkpoint> seen_;  // at the start: what was published last
  std::string seen_note_;
  bool is_head_written_ = false;  // the files hold all that the tail does
  std::unique_ptr<Tail> tail_;
};

}  // namespace glasscase::ledger
