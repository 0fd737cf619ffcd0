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

// The one that its owner wants, with the registry of its image. One that cannot be read is given to anybody,
// who says so.
bool MayDo(const RunWorker& worker, const catalog::Run& run);

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
