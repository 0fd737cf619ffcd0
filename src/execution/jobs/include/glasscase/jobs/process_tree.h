// A process with all that came from it, as /proc shows them. For executors.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

namespace glasscase::jobs {

struct TreeMember {
  pid_t pid = 0;
  unsigned depth = 0;         // 0: the root itself
  uint64_t memory_bytes = 0;  // resident
  int64_t cpu_ms = 0;
};

// The root first. One that ends meanwhile is left out; empty when the root is gone. At most kMembersMax.
inline constexpr size_t kMembersMax = 16'384;
std::vector<TreeMember> ProcessTree(pid_t root);

// Files that they have open and which have no name (any more).
struct Unlinked {
  uint64_t on_disk = 0;    // of one device
  uint64_t in_memory = 0;  // made by memfd_create(2)
};
// `device`: as in stat's st_dev.
Unlinked UnlinkedBytes(const std::vector<TreeMember>& members, uint64_t device);

// As memory_bytes and what is in memory without a name, but what several processes share counts once, where
// the kernel tells.
uint64_t SharedOnce(const std::vector<TreeMember>& members, uint64_t in_memory);

}  // namespace glasscase::jobs
