// The workers that are there, and which of them may do a run.
#pragma once

#include <map>
#include <optional>
#include <string>

#include <glasscase/training/recipe.h>

#include "desk.h"

namespace glasscase::operations {

struct RunWorker {
  rpc::WorkerHello hello;
  size_t running = 0;
  bool leaves = false;  // it was told to end
};
using RunWorkers = std::map<PeerId, RunWorker>;

// What a worker has to be to do a run. One that cannot be read is given to anybody, who says so.
struct RunNeeds {
  std::string worker{};                         // the one that its owner wants; empty: any
  std::string registry{};                       // of its image; empty: it has none
  std::string runner{};                         // of its environment, with
  Digest lock{};                                // that lock file; empty: none
  std::optional<training::RunLimits> limits{};  // none: the worker's own
};
// Of a translation, which asks for time alone; where nobody said how much, it has what a worker gives.
std::optional<training::RunLimits> LimitsOf(uint32_t wall_s);
RunNeeds NeedsOf(const training::Recipe& recipe);
RunNeeds NeedsOf(const catalog::Run& run);
bool MayDo(const RunWorker& worker, const RunNeeds& needs);
// Of those that may do it, the ones with its runner come first. Where none has it, any of them takes it and
// says what is missing.
bool IsFor(const RunWorkers& workers, const RunWorker& worker, const RunNeeds& needs);
// FailedPrecondition when none of those that are there may do it: what none has, or that none has all of it.
Status CheckNeeds(const RunWorkers& workers, const RunNeeds& needs);

// FailedPrecondition when there is none.
Status CheckWorkers(const RunWorkers& workers);
// The lock file of a runner, as some worker has it: the wanted one, where it is given. FailedPrecondition
// says which there are.
Result<Digest> LockOf(const RunWorkers& workers, const std::string& runner,
                      const std::optional<Digest>& wanted = {});
}  // namespace glasscase::operations
