// How much lies in a folder that a stranger writes into. For executors.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <set>
#include <string>

#include <glasscase/core/error.h>

namespace glasscase::jobs {

struct FolderSize {
  uint64_t bytes = 0;          // on the disk
  uint64_t files = 0;          // and folders
  uint64_t device = 0;         // stat's st_dev
  std::set<uint64_t> named{};  // of the inodes that were asked for, those that are in it
};

// Follows no link. Stops counting beyond `files_max`. Folders that nobody may read are made readable. A file
// that goes away meanwhile is left out.
Result<FolderSize> MeasureFolder(const std::string& path, uint64_t files_max,
                                 const std::set<uint64_t>& inodes = {});

// Files and folders on the tmpfs that a process sees there; 0 where it shows nobody, where there is none, and
// where it sees ours: it is on its way into its sandbox.
uint64_t FilesSeenBy(pid_t pid, const std::string& path);

}  // namespace glasscase::jobs
