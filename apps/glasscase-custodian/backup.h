// Backups: a folder with one catalog file, the blobs it names, the settings and certificate, and backup.json
// with the digest of each (api/formats/data-directory.md).
#pragma once

#include <string>

#include <glasscase/core/clock.h>
#include <glasscase/core/error.h>

#include "stores.h"

namespace glasscase::custodian {

// `directory` may be served meanwhile. `out` must not exist; it is there, whole, or not at all.
// FailedPrecondition when catalog or blobs are in servers, which have backups of their own.
Status BackUp(const std::string& directory, const std::string& out, const StoreSettings& stores,
              const Clock& clock);

// Verifies every digest first. `directory` must not exist or be empty.
Status Restore(const std::string& backup, const std::string& directory, const Clock& clock);

}  // namespace glasscase::custodian
