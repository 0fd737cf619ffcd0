// `glasscase-custodian --renew-log DIR`: the log of a stopped installation goes on under a new name and key.
//
// For a key that may be known to others, and for a log that cannot go on because the newest catalog is lost:
// a backup knows fewer entries than the log has published, and to publish others in their place would make
// two histories under one name. The entries stay; the new log begins with those that the catalog knows, and
// one of type `key` says where the old log was seen to end (api/formats/ledger-entry.md).
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include <glasscase/core/clock.h>
#include <glasscase/core/error.h>
#include <glasscase/crypto/random.h>

#include "stores.h"

namespace glasscase::custodian {

struct RenewOptions {
  std::string directory{};
  StoreSettings stores{};
};

// `say` gets a sentence for each thing that was done or is left to the operator. Can be repeated after it was
// cut off, and goes on with the same key then; until then nothing is served. The old key is destroyed.
// FailedPrecondition when the directory is served; DataLoss when files and catalog are of two histories, and
// nothing is changed then.
Status RenewLog(const RenewOptions& options, const Clock& clock, RandomSource& random,
                const std::function<void(std::string_view)>& say);

}  // namespace glasscase::custodian
