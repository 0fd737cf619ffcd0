// `glasscase-custodian --fsck DIR`: checks a data directory without changing anything.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include <glasscase/core/clock.h>
#include <glasscase/core/error.h>

#include "stores.h"

namespace glasscase::custodian {

struct FsckReport {
  uint64_t entries = 0;
  uint64_t assets = 0;
  uint64_t blobs = 0;
  uint64_t problems = 0;
};

// `problem` is told what is wrong with what: a path in the directory, or a row of the catalog. An error only
// when nothing could be checked.
Result<FsckReport> Fsck(const std::string& directory, const StoreSettings& settings, const Clock& clock,
                        const std::function<void(std::string_view where, std::string_view what)>& problem);

}  // namespace glasscase::custodian
