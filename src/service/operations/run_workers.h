// The workers that are there, and which of them may do a run.
#pragma once

#include <map>
#include <string>

#include <glasscase/training/recipe.h>

#include "desk.h"

namespace glasscase::operations {

struct RunWorker {
  rpc::WorkerHello hello;
  size_t running = 0;
};
using RunWorkers = std::map<PeerId, RunWorker>;

// What a worker has to be to do a run. One that cannot be read is given to anybody, who says so.
struct RunNeeds {
  std::string worker{};    // the one that its owner wants; empty: any
  std::string registry{};  // of its image; empty: it has none
  std::string runner{};    // of its environment, with
  Digest lock{};           // that lock file; empty: none
};
RunNeeds NeedsOf(const catalog::Run& run);
bool MayDo(const RunWorker& worker, const RunNeeds& needs);
// Of those that may do it, the ones with its runner come first. Where none has it, any of them takes it and
// says what is missing.
bool IsFor(const RunWorkers& workers, const RunWorker& worker, const RunNeeds& needs);
// Why none of those that are there may do it; empty: one may.
std::string WhyItWaits(const RunWorkers& workers, const RunNeeds& needs);

// FailedPrecondition when there is none.
Status CheckWorkers(const RunWorkers& workers);
// The lock file of a runner, as a worker has it. FailedPrecondition says which runners there are.
Result<Digest> LockOf(const RunWorkers& workers, const std::string& runner);
// FailedPrecondition says which registries they take images from.
Status CheckImage(const RunWorkers& workers, const std::string& image);
// FailedPrecondition says which workers there are, where none has that name.
Status CheckWorker(const RunWorkers& workers, const std::string& name);
// FailedPrecondition when none gives so much.
Status CheckLimits(const RunWorkers& workers, const training::RunLimits& limits);

}  // namespace glasscase::operations
