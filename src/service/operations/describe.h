// Models and versions as answers show them.
#pragma once

#include <string>
#include <vector>

#include "desk.h"

namespace glasscase::operations {

std::string_view KindName(catalog::AssetKind kind);
std::string_view StateName(catalog::VersionState state);
rpc::Version Describe(const catalog::Version& version);
// Without card and versions.
rpc::Model Describe(const catalog::Model& model, std::string_view owner_name,
                    const std::vector<catalog::Version>& versions);

// The body of an infer request that the model takes: zeros of the right shape, 1 for dimensions that vary.
// Empty when it would be too long to be looked at.
std::string SampleInput(const std::vector<TensorSpec>& inputs);

}  // namespace glasscase::operations
