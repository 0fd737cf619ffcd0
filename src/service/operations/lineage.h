// The lineage of versions: which were made from which.
#pragma once

#include <vector>

#include "desk.h"

namespace glasscase::operations {

// What a new version says it was made from.
struct Parent {
  catalog::Relation relation = catalog::Relation::kDerivedFrom;
  Uuid version{};
  Uuid asset{};
};

// The versions that claims name. Only what the caller may see can be named.
Result<std::vector<Parent>> FindParents(Desk& desk, Act& act,
                                        const google::protobuf::RepeatedPtrField<rpc::LineageClaim>& claims);

// Parents and children of a version, named where the caller may see them.
Status DescribeLineage(Desk& desk, const Act& act, const Uuid& version, rpc::Version& message);

}  // namespace glasscase::operations
