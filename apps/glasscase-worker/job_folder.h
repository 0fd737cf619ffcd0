// A folder for the files of jobs, outside of the data directory: jobs and their worker have no business
// there.
#pragma once

#include <string>

#include <glasscase/core/error.h>
#include <glasscase/process/fd.h>

namespace glasscase::worker {

struct JobFolder {
  std::string path;
  Fd lock;
};

// A new one below `parent`, for this user alone, locked; what workers of this user left there that have ended
// is removed.
Result<JobFolder> MakeJobFolder(const std::string& parent);

}  // namespace glasscase::worker
