// The key that signs the ledger's checkpoints: keys/ledger.key, in the form of Go's note package
// ("PRIVATE+KEY+name+id+base64"), and the policy that names its other half.
#pragma once

#include <string>

#include <glasscase/core/ids.h>
#include <glasscase/crypto/random.h>
#include <glasscase/ledger/note.h>

namespace glasscase::custodian {

// Of a shared catalog: the text of its log's verifier.
inline constexpr std::string_view kLedgerKeySetting = "ledger_key";

// Makes the folder and the key when there is none. FailedPrecondition when there is no key though the log has
// been published with one, or while a renewal is cut off.
Result<ledger::NoteSigner> LoadOrMakeLedgerKey(int directory, const Uuid& installation, RandomSource& random);

// NotFound when there is none.
Result<ledger::NoteSigner> LoadLedgerKey(int directory);

// ledger-policy, for `glasscase verify`: this log, no witness. One that is there stays as it is.
Status WriteLedgerPolicy(int directory, const ledger::NoteVerifier& verifier);

// ---- renewal: keys/ledger.key.next is there from its beginning to its end ----

// The key of the same log under its next name: "glasscase/UUID", then "glasscase/UUID/2", "/3" …
Result<ledger::NoteSigner> LoadOrMakeNextLedgerKey(int directory, const ledger::NoteSigner& current,
                                                   RandomSource& random);
// It is keys/ledger.key from now on, and the one of before is gone.
Status TakeNextLedgerKey(int directory);
Status EndRenewal(int directory);
// Which log of an installation a name is: 1, 2, …
uint64_t LogNumber(std::string_view name);
// In ledger-policy, when it names the old one.
Status RenameInLedgerPolicy(int directory, const ledger::NoteVerifier& from, const ledger::NoteVerifier& to);

}  // namespace glasscase::custodian
