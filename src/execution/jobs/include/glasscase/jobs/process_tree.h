// A process with all that came from it, as /proc shows them. For executors.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace glasscase::jobs {

struct TreeMember {
  pid_t pid = 0;
  unsigned depth = 0;  // 0: the root itself
  pid_t thread =
      0;  // its first that has not ended; 0: all have. Of the others /proc shows neither memory nor files
  uint64_t memory_bytes = 0;  // resident
  int64_t cpu_ms = 0;
};

// The root first. One that ends meanwhile is left out; empty when the root is gone. At most kMembersMax.
inline constexpr size_t kMembersMax = 16'384;
std::vector<TreeMember> ProcessTree(pid_t root);

// Files of /out that processes hold, and that have no name there (any more).
struct Unnamed {
  uint64_t bytes = 0;  // of those that they have open, or are running
  // Mapped, and open nowhere: /proc does not tell how large they are. By the number of their inode, the name
  // that they had.
  std::map<uint64_t, std::string> unmeasured{};
  bool is_hidden = false;  // a process lets nobody see which files it has open
};

struct SharedMemory {
  uint64_t bytes = 0;
  bool is_certain = true;  // all of them were looked at now
};

// Looks at processes again and again. A look takes no longer than it may, and one process more, whatever they
// did to make it long: those that there was no time for come first in the next one.
class TreeWatch {
 public:
  explicit TreeWatch(std::chrono::milliseconds look_max = std::chrono::milliseconds(250))
      : look_max_(look_max) {}

  // `device`: of /out, as in stat's st_dev. A process that there was no time for counts as it was last seen.
  // All threads of a process have the same files open (syscall_filter.h).
  Unnamed LookAtFiles(const std::vector<TreeMember>& members, uint64_t device);
  // What they have resident, but what several share counts once, where the kernel tells. One that there was
  // no time for counts as it was last seen and with what it took since; one never seen with all it has.
  SharedMemory LookAtMemory(const std::vector<TreeMember>& members);

 private:
  struct Files {
    uint64_t look = 0;
    std::map<uint64_t, uint64_t> open{};  // bytes by inode
    std::map<uint64_t, std::string> mapped{};
    bool is_hidden = false;
  };
  struct Memory {
    uint64_t look = 0;
    uint64_t share = 0;
    uint64_t memory_bytes = 0;
  };
  static Files FilesOf(const TreeMember& member, uint64_t device);
  static Memory MemoryOf(const TreeMember& member);
  template <typename Seen, typename See>
  void Visit(const std::vector<TreeMember>& members, std::map<pid_t, Seen>& seen, const See& see);

  const std::chrono::milliseconds look_max_;
  uint64_t look_ = 0;
  std::map<pid_t, Files> files_;
  std::map<pid_t, Memory> memory_;
};

}  // namespace glasscase::jobs
