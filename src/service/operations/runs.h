// Runs: what the acts on them share.
#pragma once

#include <string>

#include "desk.h"
#include "routes.h"

namespace glasscase::operations {

Result<rpc::Run> DescribeRun(Workplace& place, const catalog::Run& run, bool whole);
// ResourceExhausted when with so many more the subject would have more than there may be.
Status CheckOpenRuns(Desk& desk, const Uuid& owner, size_t more = 1);
// -100 to 100; above 0 for operators alone.
Status CheckPriority(const Act& act, int64_t priority);

// The owner's own model of that name, or a new one: its next version, or that with the label.
struct Target {
  catalog::Model model;
  bool is_new = false;
};
Result<Target> FindTarget(Desk& desk, const catalog::Subject& owner, std::string name,
                          const std::string& label);
Status InsertRun(catalog::Transaction& transaction, const Target& target, const catalog::Run& run,
                 const std::string& owner);

}  // namespace glasscase::operations
