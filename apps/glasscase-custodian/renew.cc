#include "renew.h"

#include <unistd.h>

#include <filesystem>

#include <glasscase/ledger/checkpoint.h>
#include <glasscase/ledger/file_check.h>
#include <glasscase/ledger/log.h>
#include <glasscase/operations/key_entries.h>

#include "data_directory.h"
#include "ledger_key.h"
#include "stopped.h"

namespace glasscase::custodian {
namespace {

namespace fs = std::filesystem;

class Renewal {
 public:
  using Say = std::function<void(std::string_view)>;

  Renewal(const RenewOptions& options, const Clock& clock, RandomSource& random, const Say& say)
      : options_(options), clock_(clock), random_(random), say_(say) {}

  Status Run() {
    GC_TRY(stopped_, OpenStopped(options_.directory, options_.stores, clock_, random_));
    GC_TRY(old_, LoadLedgerKey(fd()));
    GC_TRY(new_, LoadOrMakeNextLedgerKey(fd(), *old_, random_));
    if (vkey() != old_->verifier().ToString()) GC_TRY_VOID(ChangeKeys());  // else it was cut off after this
    GC_TRY_VOID(MoveLonger());
    GC_TRY_VOID(EndRenewal(fd()));
    TellOthers();
    return GiveToCustodian(options_.directory);
  }

 private:
  int fd() const { return stopped_.directory.get(); }
  std::string vkey() const { return new_->verifier().ToString(); }
  // "log-ended/1": what is left of the old log that the new one does not have.
  std::string Folder() const {
    return std::string(kEndedFolder) + "/" + std::to_string(LogNumber(new_->verifier().name()) - 1);
  }

  Status ChangeKeys() {
    GC_TRY(last_, LastCheckpoint());
    GC_TRY_VOID(EndOldLog());
    GC_TRY_VOID(BeginNewLog());
    return NameNewKey();
  }

  // Where it can, the old log says itself who comes after it.
  Status EndOldLog() {
    const auto log = Open(*old_, false);
    if (!log && log.error().code() != Code::kFailedPrecondition) return Fail(log.error());
    if (!log) {
      say_("the old log is not signed any more: " + log.error().message());
      return Ok();
    }
    GC_TRY_VOID(NameInLog(**log));
    say_("the old log ends with " + std::to_string((*log)->size()) +
         " entries; the last act names the new key");
    return Ok();
  }

  Status NameInLog(ledger::Log& log) {
    GC_TRY_VOID(operations::EnterKey(*stopped_.catalog, {.use = "log", .key = vkey(), .before = last_},
                                     clock_.WallMicros()));
    bool more = true;
    while (more) {
      GC_TRY(more, log.Publish());
    }
    return log.Settle();
  }

  // The last that the old log has signed; nullopt where there is none.
  Result<std::optional<std::string>> SignedCheckpoint() {
    GC_TRY(auto stored, stopped_.log_files->Read(ledger::kCheckpointPath));
    const auto note = ledger::Note::Parse(stored.value_or(""));
    const auto is_signed = note ? note->IsSignedBy(old_->verifier()) : false;
    if (!is_signed || !*is_signed) return std::nullopt;
    return stored;
  }

  // By the catalog's word where nothing is signed.
  Result<ledger::Checkpoint> LastCheckpoint() {
    GC_TRY(const auto signed_note, SignedCheckpoint());
    if (signed_note) {
      GC_TRY(const ledger::Note note, ledger::Note::Parse(*signed_note));
      return ledger::Checkpoint::Parse(note.text);
    }
    GC_TRY(const ledger::Head head, stopped_.catalog->Journal().ReadHead());
    return ledger::Checkpoint{.origin = old_->verifier().name(), .size = head.size, .root = head.root};
  }

  Status KeepCheckpoint() {
    GC_TRY(const auto signed_note, SignedCheckpoint());
    if (!signed_note) return Ok();
    GC_TRY_VOID(MakeFolderAt(fd(), kEndedFolder));
    GC_TRY_VOID(MakeFolderAt(fd(), Folder()));
    return WriteNewFileAt(fd(), Folder() + "/checkpoint", *signed_note, 0644);
  }

  Result<std::unique_ptr<ledger::Log>> Open(const ledger::NoteSigner& signer, bool is_renewed) {
    return ledger::Log::Open({.journal = stopped_.catalog->Journal(),
                              .files = *stopped_.log_files,
                              .signer = signer,
                              .is_renewed = is_renewed});
  }

  // A new checkpoint takes the old one's place, or nothing does when the files are not those of the catalog.
  Status BeginNewLog() {
    GC_TRY_VOID(KeepCheckpoint());
    if (::unlinkat(fd(), "log/checkpoint", 0) != 0 && errno != ENOENT)
      return Fail(Error::FromErrno(errno, "cannot take log/checkpoint away"));
    const auto log = Open(*new_, true);
    if (!log) {
      GC_TRY_VOID(PutCheckpointBack());
      GC_TRY_VOID(EndRenewal(fd()));
      return Fail(log.error());
    }
    GC_TRY_VOID(NameInLog(**log));
    say_("the log goes on as " + new_->verifier().name() + " with " + std::to_string((*log)->size()) +
         " entries");
    return Ok();
  }

  Status PutCheckpointBack() {
    GC_TRY(const std::string kept,
           ReadFileAt(fd(), (Folder() + "/checkpoint").c_str(), ledger::Note::kBytesMax));
    if (kept.empty()) return Ok();
    return stopped_.log_files->Write(ledger::kCheckpointPath, kept);
  }

  Status NameNewKey() {
    if (stopped_.seat) {
      GC_TRY(const auto transaction, stopped_.catalog->Begin());
      GC_TRY_VOID(transaction->SetSetting(kLedgerKeySetting, vkey()));
      GC_TRY_VOID(transaction->Commit());
    }
    GC_TRY_VOID(RenameInLedgerPolicy(fd(), old_->verifier(), new_->verifier()));
    return TakeNextLedgerKey(fd());
  }

  // Files of entries that the catalog does not know any more: nothing else tells of these acts.
  Status MoveLonger() {
    GC_TRY(const ledger::Head head, stopped_.catalog->Journal().ReadHead());
    const fs::path log = fs::path(options_.directory) / kLogFolder;
    const fs::path ended = fs::path(options_.directory) / Folder();
    std::vector<fs::path> longer;
    for (const auto& entry : fs::recursive_directory_iterator(log)) {
      const fs::path path = entry.path().lexically_relative(log);
      if (!entry.is_directory() && ledger::ParseTilePath(path.string()) &&
          !ledger::BelongsToLog(path.string(), head.size))
        longer.push_back(path);
    }
    for (const fs::path& path : longer) {
      fs::create_directories((ended / path).parent_path());
      fs::rename(log / path, ended / path);
    }
    if (!longer.empty())
      say_("entries of the old log that this catalog does not know are in " + ended.string() + ", " +
           std::to_string(longer.size()) + " files: acts that are lost, and have to be done once more");
    return Ok();
  }

  void TellOthers() {
    say_("the new key: " + vkey());
    say_(
        "give it to those who verify receipts, and to your witnesses; receipts from before are checked with "
        "the old key");
    if (!ReadFileAt(fd(), "chain.json", 65'536).value_or("").empty())
      say_(
          "checkpoints on the chain are those of the old log: move chain.json away and run `glasscase chain "
          "init` with --registry from it, for a new contract");
  }

  const RenewOptions& options_;
  const Clock& clock_;
  RandomSource& random_;
  const Say& say_;
  Stopped stopped_;
  std::optional<ledger::NoteSigner> old_;
  std::optional<ledger::NoteSigner> new_;
  ledger::Checkpoint last_;  // of the old log
};

}  // namespace

Status RenewLog(const RenewOptions& options, const Clock& clock, RandomSource& random,
                const std::function<void(std::string_view)>& say) try {
  return Renewal(options, clock, random, say).Run();
} catch (const fs::filesystem_error& error) {
  return Fail(Error::FromErrno(error.code().value(), error.path1().string()));
}

}  // namespace glasscase::custodian
