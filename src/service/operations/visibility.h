// What a caller sees of an asset that they may see at all.
#pragma once

#include <vector>

#include "desk.h"

namespace glasscase::operations {

// Its owner and operators see every version; others those in use that a grant of theirs covers.
bool SeesAll(const Act& act, const catalog::Model& model);
Result<std::vector<catalog::Version>> VisibleVersions(Desk& desk, const Act& act, const catalog::Model& model,
                                                      const std::vector<catalog::Version>& versions);
Result<bool> IsVisible(Desk& desk, const Act& act, const catalog::Model& model,
                       const catalog::Version& version);

}  // namespace glasscase::operations
