// `glasscase-custodian --fsck DIR --repair`: rebuilds what the rest of a data directory proves.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include <glasscase/core/clock.h>
#include <glasscase/core/error.h>

#include "stores.h"

namespace glasscase::custodian {

struct RepairWords {
  std::function<void(std::string_view where, std::string_view what)> repaired;
  std::function<void(std::string_view where, std::string_view what)> left;  // cannot be, and what to do
};

// Indexes of the catalog, then the files of the log. Changes no entry, no key, no row, no signed checkpoint.
// FailedPrecondition while the directory is served.
Status Repair(const std::string& directory, const StoreSettings& stores, const Clock& clock,
              const RepairWords& words);

}  // namespace glasscase::custodian
