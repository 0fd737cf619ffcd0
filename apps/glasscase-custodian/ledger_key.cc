#include "ledger_key.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include <glasscase/ledger/policy.h>

#include "data_directory.h"

namespace glasscase::custodian {
namespace {

constexpr char kKeyFile[] = "keys/ledger.key";
constexpr char kNextKeyFile[] = "keys/ledger.key.next";
constexpr char kTakenKeyFile[] = "keys/ledger.key.taken";

bool Exists(int directory, const char* name) {
  struct stat facts {};
  return ::fstatat(directory, name, &facts, AT_SYMLINK_NOFOLLOW) == 0;
}

Result<Secret> ReadKeyFile(int directory, const std::string& name) {
  const Fd file(::openat(directory, name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!file.valid()) return Fail(Error::FromErrno(errno, "cannot open " + name));
  std::string text(1024, '\0');
  const ssize_t got = ::read(file.get(), text.data(), text.size());
  if (got < 0) return Fail(Error::FromErrno(errno, "cannot read " + name));
  text.resize(static_cast<size_t>(got));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return Secret(std::move(text));
}

Result<ledger::NoteSigner> LoadKey(int directory, const std::string& name) {
  GC_TRY(const Secret text, ReadKeyFile(directory, name));
  auto signer = ledger::NoteSigner::Parse(text);
  if (!signer) return Fail(signer.error().WithContext(name + " (put the backup's one back)"));
  return std::move(*signer);
}

Status MakeKey(int directory, const std::string& file, const std::string& name, RandomSource& random) {
  GC_TRY(const ledger::NoteSigner signer,
         ledger::NoteSigner::Make(name, ledger::KeyType::kEd25519, Ed25519Key::Generate(random)));
  const Secret text = signer.ToSecret();
  return WriteNewFileAt(directory, file, text.Reveal(RevealToken()), 0600);
}

Status Rename(int directory, const std::string& from, const std::string& to) {
  if (::renameat(directory, from.c_str(), directory, to.c_str()) != 0)
    return Fail(Error::FromErrno(errno, "cannot name " + to));
  ::fsync(directory);
  return Ok();
}

}  // namespace

Result<ledger::NoteSigner> LoadOrMakeLedgerKey(int directory, const Uuid& installation,
                                               RandomSource& random) {
  GC_TRY_VOID(MakeFolderAt(directory, "keys"));
  if (Exists(directory, kNextKeyFile))
    return Fail(Error::FailedPrecondition(
        "a renewal of the log was cut off: run `glasscase ledger renew` again, it goes on where it stopped"));
  if (!Exists(directory, kKeyFile)) {
    if (Exists(directory, "log/checkpoint"))
      return Fail(Error::FailedPrecondition(
          "keys/ledger.key is missing, and the log was published with it; put the backup's one back"));
    GC_TRY_VOID(MakeKey(directory, kKeyFile, "glasscase/" + installation.ToString(), random));
  }
  return LoadLedgerKey(directory);
}

Result<ledger::NoteSigner> LoadLedgerKey(int directory) { return LoadKey(directory, kKeyFile); }

Status WriteLedgerPolicy(int directory, const ledger::NoteVerifier& verifier) {
  return WriteNewFileAt(
      directory, kPolicyFile,
      "# Whom `glasscase verify` trusts: this installation's log. Without a witness it is not\n"
      "# protected against the operator; add lines \"witness NAME VKEY URL\" and a quorum.\n"
      "log " +
          verifier.ToString() + "\nquorum none\n",
      0644);
}

// ---- renewal ----

uint64_t LogNumber(std::string_view name) {
  const size_t slash = name.rfind('/');
  const std::string last(slash == std::string_view::npos ? std::string_view() : name.substr(slash + 1));
  const bool is_number =
      !last.empty() && last.size() < 10 && last.find_first_not_of("0123456789") == std::string::npos;
  return is_number ? std::stoull(last) : 1;
}

Result<ledger::NoteSigner> LoadOrMakeNextLedgerKey(int directory, const ledger::NoteSigner& current,
                                                   RandomSource& random) {
  if (!Exists(directory, kNextKeyFile)) {
    std::string name = current.verifier().name();
    const uint64_t number = LogNumber(name);
    if (number > 1) name.resize(name.rfind('/'));
    GC_TRY_VOID(MakeKey(directory, kNextKeyFile, name + "/" + std::to_string(number + 1), random));
  }
  return LoadKey(directory, kNextKeyFile);
}

Status TakeNextLedgerKey(int directory) {
  ::unlinkat(directory, kTakenKeyFile, 0);  // of an attempt that was cut off
  if (::linkat(directory, kNextKeyFile, directory, kTakenKeyFile, 0) != 0)
    return Fail(Error::FromErrno(errno, std::string("cannot make ") + kTakenKeyFile));
  return Rename(directory, kTakenKeyFile, kKeyFile);
}

Status EndRenewal(int directory) {
  if (::unlinkat(directory, kNextKeyFile, 0) != 0)
    return Fail(Error::FromErrno(errno, std::string("cannot remove ") + kNextKeyFile));
  ::fsync(directory);
  return Ok();
}

Status RenameInLedgerPolicy(int directory, const ledger::NoteVerifier& from, const ledger::NoteVerifier& to) {
  GC_TRY(std::string text, ReadFileAt(directory, kPolicyFile, ledger::Policy::kBytesMax));
  const size_t at = text.find(from.ToString());
  if (at == std::string::npos) return Ok();
  text.replace(at, from.ToString().size(), to.ToString());
  const std::string next = std::string(kPolicyFile) + ".next";
  ::unlinkat(directory, next.c_str(), 0);
  GC_TRY_VOID(WriteNewFileAt(directory, next, text, 0644));
  return Rename(directory, next, kPolicyFile);
}

}  // namespace glasscase::custodian
