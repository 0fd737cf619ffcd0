// What becomes of a run that was done once more.
#pragma once

#include <string>

#include "desk.h"

namespace glasscase::operations {

// As a worker may say it (api/formats/verification-evidence.md).
bool IsVerificationEvidence(const std::string& text);

// The entry of the ledger, for the version with which it was compared. NotFound when that is gone.
Status EnterVerification(Desk& desk, catalog::Transaction& transaction, const catalog::Run& run);

}  // namespace glasscase::operations
