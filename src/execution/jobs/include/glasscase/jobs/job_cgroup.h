// The cgroup of one job, where its worker has a seat (process/cgroup.h). For executors.
//
// What is held is all that the kernel counts for the job: data of all its processes, what lies in its /tmp
// and /dev/shm, the kernel's own for it, and files that it reads and writes as long as they are kept in
// memory, which the kernel gives up before it ends the job. There is no swap. Beyond memory the kernel ends
// all of the job at once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include <glasscase/jobs/executor.h>
#include <glasscase/process/cgroup.h>

namespace glasscase::jobs {

struct CgroupUse {
  uint64_t memory_peak_bytes = 0;  // before Linux 5.19: now
  int64_t cpu_ms = 0;
  bool was_over_memory = false;   // so the kernel ended something in it
  bool machine_was_full = false;  // so did it, though the job was within its limit
};

class JobCgroup {
 public:
  static const JobCgroup& None();
  // For at most `own_processes` of the executor's beside the job's. Where none can be made, the reason is in
  // missing(), and nothing else does anything.
  static JobCgroup Make(const process::CgroupSeat& seat, const Limits& limits, uint32_t own_processes);
  // Ends what is left of the job.
  ~JobCgroup();
  JobCgroup(JobCgroup&& other) noexcept
      : cgroup_(std::exchange(other.cgroup_, std::nullopt)),
        held_(other.held_),
        missing_(std::move(other.missing_)) {}
  JobCgroup& operator=(JobCgroup&&) = delete;

  int fd() const { return cgroup_ ? cgroup_->fd() : -1; }  // Launch::cgroup
  // Which limits the kernel holds for the job as a whole.
  process::CgroupControllers held() const { return held_; }
  const std::string& missing() const { return missing_; }  // empty: it is there

  CgroupUse Use() const;
  void Kill() const;
  bool IsEmpty() const { return !cgroup_ || cgroup_->IsEmpty(); }

 private:
  JobCgroup() = default;
  void Limit(const Limits& limits, uint32_t own_processes);

  std::optional<process::Cgroup> cgroup_;
  process::CgroupControllers held_;
  std::string missing_;
};

}  // namespace glasscase::jobs
