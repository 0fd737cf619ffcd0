// The node's side of a job that Slurm was given.
#pragma once

#include <string>

#include <glasscase/jobs/executor.h>

namespace glasscase::jobs {

// Runs the job that lies in `file` by `executor` and leaves log and end beside it. It is cancelled by
// SIGTERM, and when the other side has not shown itself for as long as the file says, or took the folder
// away. Call from main, before other threads are made. The exit code: 0 when an end was written.
// `machine`: what this node is, a JSON object for the job's record.
int RunOneJob(const std::string& file, const std::string& machine, Executor& executor);

}  // namespace glasscase::jobs
