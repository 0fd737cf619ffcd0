// The key that signs the ledger's checkpoints: keys/ledger.key, in the form of Go's note package
// ("PRIVATE+KEY+name+id+base64"), and the policy that names its other half.
#pragma once

#include <string>

#include <glasscase/core/ids.h>
#include <glasscase/crypto/random.h>
#include <glasscase/ledger/note.h>

namespace glasscase::custodian {

// Makes the folder and the key when there is none. FailedPrecondition when there is no key though the log has
// been published with one.
Result<ledger::NoteSigner> LoadOrMakeLedgerKey(int directory, const Uuid& installation, RandomSource& random);

// NotFound when there is none.
Result<ledger::NoteSigner> LoadLedgerKey(int directory);

// ledger-policy, for `glasscase verify`: this log, no witness. One that is there stays as it is.
Status WriteLedgerPolicy(int directory, const ledger::NoteVerifier& verifier);

}  // namespace glasscase::custodian
