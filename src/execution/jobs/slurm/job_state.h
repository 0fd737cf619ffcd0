// The states of Slurm's jobs, as `scontrol show job` names them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <glasscase/jobs/executor.h>

namespace glasscase::jobs {

// The value of a field in what `scontrol show job --oneliner` prints; empty: not there.
std::string FieldOf(std::string_view line, std::string_view field);

// It waits, runs or is being ended: Slurm has not done with it.
bool IsUnderWay(std::string_view state);

// How a job ended of which our program on the node left no end. Its own fault where it took what the job was
// not given (TIMEOUT, OUT_OF_MEMORY), ours where the node or the cluster took it away.
JobEnd EndByState(std::string_view state, const std::string& id, bool was_cancelled);

}  // namespace glasscase::jobs
