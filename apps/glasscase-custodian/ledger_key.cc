#include "ledger_key.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "data_directory.h"

namespace glasscase::custodian {
namespace {

constexpr char kKeyFile[] = "keys/ledger.key";

bool Exists(int directory, const char* name) {
  struct stat facts {};
  return ::fstatat(directory, name, &facts, AT_SYMLINK_NOFOLLOW) == 0;
}

Result<Secret> ReadKeyFile(int directory) {
  const Fd file(::openat(directory, kKeyFile, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!file.valid()) return Fail(Error::FromErrno(errno, "cannot open keys/ledger.key"));
  std::string text(1024, '\0');
  const ssize_t got = ::read(file.get(), text.data(), text.size());
  if (got < 0) return Fail(Error::FromErrno(errno, "cannot read keys/ledger.key"));
  text.resize(static_cast<size_t>(got));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return Secret(std::move(text));
}

}  // namespace

Result<ledger::NoteSigner> LoadOrMakeLedgerKey(int directory, const Uuid& installation,
                                               RandomSource& random) {
  GC_TRY_VOID(MakeFolderAt(directory, "keys"));
  if (!Exists(directory, kKeyFile)) {
    if (Exists(directory, "log/checkpoint"))
      return Fail(Error::FailedPrecondition(
          "keys/ledger.key is missing, and the log was published with it; put the backup's one back"));
    GC_TRY(const ledger::NoteSigner signer,
           ledger::NoteSigner::Make("glasscase/" + installation.ToString(), ledger::KeyType::kEd25519,
                                    Ed25519Key::Generate(random)));
    const Secret text = signer.ToSecret();
    GC_TRY_VOID(WriteNewFileAt(directory, kKeyFile, text.Reveal(RevealToken()), 0600));
  }
  return LoadLedgerKey(directory);
}

Result<ledger::NoteSigner> LoadLedgerKey(int directory) {
  GC_TRY(const Secret text, ReadKeyFile(directory));
  auto signer = ledger::NoteSigner::Parse(text);
  if (!signer) return Fail(signer.error().WithContext("keys/ledger.key (put the backup's one back)"));
  return std::move(*signer);
}

Status WriteLedgerPolicy(int directory, const ledger::NoteVerifier& verifier) {
  return WriteNewFileAt(
      directory, kPolicyFile,
      "# Whom `glasscase verify` trusts: this installation's log. Without a witness it is not\n"
      "# protected against the operator; add lines \"witness NAME VKEY URL\" and a quorum.\n"
      "log " +
          verifier.ToString() + "\nquorum none\n",
      0644);
}

}  // namespace glasscase::custodian
