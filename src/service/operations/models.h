// Models as answers, with what the caller may see of them.
#pragma once

#include "desk.h"

namespace glasscase::operations {

struct Shown {
  bool with_card = false;  // and the neighbours in the lineage
};
Result<rpc::Model> DescribeFor(Desk& desk, const Act& act, const NamedModel& named, Shown shown);
// The answer to an owner's act on a model that is there, which every process is told of.
Result<Outcome> ModelAnswer(Desk& desk, const Act& act, const Uuid& model, Shown shown = {});

}  // namespace glasscase::operations
