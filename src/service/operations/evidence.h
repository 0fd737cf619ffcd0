// What runs have shown of a version.
#pragma once

#include "desk.h"

namespace glasscase::operations {

// Of the run that made the version, and of those that repeated it. Evidence is a worker's: what cannot be
// read is passed over.
Status DescribeEvidence(Desk& desk, const Uuid& version, rpc::Version& message);

}  // namespace glasscase::operations
