// Cgroups (version 2) that were handed to us. The kernel holds what runs in one to memory, to a number of
// processes and to time on processors, and ends all of it at once.
//
//   glasscase.service/    delegated to us; processes are in leaves only, as the kernel asks
//     processes/          all processes of ours but workers
//     worker-1/           a seat: belongs to its worker's user, who moves no process but into it and inside
//     it
//       own/              the worker
//       job-.../          what the worker makes
//
// By these names we know what is ours to end and to remove: processes, worker and worker-N. A worker that
// was started alone has the seat "worker".
//
// Whoever cannot have one gets an error whose message is the reason, for the record of what is missing.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <glasscase/core/error.h>
#include <glasscase/process/fd.h>

namespace glasscase::process {

// Those that are wanted.
struct CgroupControllers {
  bool memory = false;
  bool processes = false;   // "pids"
  bool processors = false;  // "cpu"

  static CgroupControllers Parse(std::string_view words);  // as cgroup.controllers has them
  bool any() const { return memory || processes || processors; }
  bool operator==(const CgroupControllers&) const = default;
};
// "memory, processes": those that it has, or has not.
std::string ControllersText(CgroupControllers controllers, bool has);

// The number after a word: CgroupNumber("low 0\noom_kill 3\n", "oom_kill") is 3.
std::optional<uint64_t> CgroupNumber(std::string_view text, std::string_view word);
// The folder of a process's cgroup of version 2, by what its /proc/self/cgroup and /proc/self/mountinfo say.
Result<std::string> CgroupFolderOf(std::string_view cgroup, std::string_view mountinfo);
// The first folder there that is none of ours by its name.
std::optional<std::string> FolderOfSomebodyElse(const std::string& path);

class Cgroup {
 public:
  static Result<Cgroup> Open(const std::string& path);
  // Opens what is there already.
  static Result<Cgroup> Make(const std::string& path);
  // Of this process.
  static Result<Cgroup> Own();

  const std::string& path() const { return path_; }
  int fd() const { return folder_.get(); }  // the folder
  Result<std::string> Read(const char* file) const;
  Status Write(const char* file, std::string_view text) const;
  Result<std::vector<pid_t>> Processes() const;  // 0: one that this process does not see
  // No process that has not ended, here and below.
  bool IsEmpty() const;
  // SIGKILL to all, here and below.
  void KillAll() const;
  // Ends what is left in it and removes it. Internal when that takes longer than two seconds.
  Status Remove();

 private:
  Cgroup(std::string path, Fd folder) : path_(std::move(path)), folder_(std::move(folder)) {}

  std::string path_;
  Fd folder_;
};

// A worker's seat, as the one who takes it has it.
struct CgroupSeat {
  std::string folder;  // empty: none
  CgroupControllers controllers{};
  std::string missing = "no cgroup is delegated to Glasscase";  // where there is none: why
};
// The seat that this process is in the leaf of. Ends and removes what is left of processes that had it
// before.
Result<CgroupSeat> TakeSeat(const std::string& folder);

class DelegatedCgroup {
 public:
  // The cgroup of this process, if it is ours: delegated, with at least one of the controllers, with no
  // cgroups below it but those of our names, and with no other processes in it than `ours`, which are moved
  // into its leaf. Nothing is changed on an error.
  static Result<DelegatedCgroup> Take(const std::vector<pid_t>& ours);

  const std::string& path() const { return cgroup_.path(); }
  CgroupControllers controllers() const { return controllers_; }
  // Makes one, or has it again, for that user (as root). Its leaf is the value: a process that writes "0" to
  // its cgroup.procs takes the seat.
  Result<Cgroup> MakeSeat(const std::string& name, std::optional<uid_t> user) const;
  std::string SeatFolder(const std::string& name) const { return path() + "/" + name; }
  // As it was before, so that it can be taken again. Ends what is left in seats, and in nothing else.
  void GiveBack();

 private:
  DelegatedCgroup(Cgroup cgroup, Cgroup leaf) : cgroup_(std::move(cgroup)), leaf_(std::move(leaf)) {}
  Status Enable(CgroupControllers wanted);

  Cgroup cgroup_;
  Cgroup leaf_;
  CgroupControllers controllers_;
};

}  // namespace glasscase::process
