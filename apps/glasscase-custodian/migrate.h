// `glasscase-custodian --migrate DIR`: moves catalog and blobs of a stopped installation to other stores, and
// proves that both hold the same.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include <glasscase/core/clock.h>
#include <glasscase/core/error.h>
#include <glasscase/crypto/random.h>

#include "stores.h"

namespace glasscase::custodian {

// Set in a catalog that was moved away: where to. It is served no more.
inline constexpr std::string_view kMovedSetting = "moved_to";

struct MigrateOptions {
  std::string directory{};
  StoreSettings from{};
  StoreSettings to{};
};

// `say` gets a sentence for each part that was moved and proved. Can be repeated after it was cut off; what
// is in the old stores stays there. FailedPrecondition when the directory is served or nothing is to be
// moved.
Status Migrate(const MigrateOptions& options, const Clock& clock, RandomSource& random,
               const std::function<void(std::string_view)>& say);

}  // namespace glasscase::custodian
