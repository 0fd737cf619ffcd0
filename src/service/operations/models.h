// Models as answers, with what the caller may see of them.
#pragma once

#include "desk.h"

namespace glasscase::operations {

struct Shown {
  bool with_card = false;  // and the neighbours in the lineage
  bool with_ledger_state = true;
};
// Says how far the acts on the asset and on these versions of it have come, where that can be read: what is
// done does not fail for it.
void DescribeLedgerState(Desk& desk, const Uuid& asset, rpc::Model& message);
Result<rpc::Model> DescribeFor(Desk& desk, const Act& act, const NamedModel& named, Shown shown);
// The answer to an owner's act on a model that is there, which every process is told of.
Result<Outcome> ModelAnswer(Desk& desk, const Act& act, const Uuid& model, Shown shown = {});

}  // namespace glasscase::operations
