#include <glasscase/jobs/job_cgroup.h>

#include <utility>

#include <glasscase/core/ids.h>

namespace glasscase::jobs {
namespace {

constexpr uint64_t kPeriodMicros = 100'000;

// Of a file that is one number; 0 where it is not there.
uint64_t OneNumber(const process::Cgroup& cgroup, const char* file) {
  const auto text = cgroup.Read(file);
  return text ? process::CgroupNumber("is " + *text, "is").value_or(0) : 0;
}

uint64_t NumberAfter(const process::Cgroup& cgroup, const char* file, std::string_view word) {
  const auto text = cgroup.Read(file);
  return text ? process::CgroupNumber(*text, word).value_or(0) : 0;
}

}  // namespace

const JobCgroup& JobCgroup::None() {
  static const JobCgroup none = Make({}, {}, 0);
  return none;
}

JobCgroup JobCgroup::Make(const process::CgroupSeat& seat, const Limits& limits, uint32_t own_processes) {
  JobCgroup made;
  made.missing_ = seat.missing;
  if (seat.folder.empty()) return made;
  auto cgroup = process::Cgroup::Make(seat.folder + "/job-" + Uuid::Random().ToString());
  if (!cgroup) {
    made.missing_ = cgroup.error().message();
    return made;
  }
  made.cgroup_ = std::move(*cgroup);
  made.held_ = seat.controllers;
  made.Limit(limits, own_processes);
  return made;
}

void JobCgroup::Limit(const Limits& limits, uint32_t own_processes) {
  const auto write = [this](const char* file, const std::string& value) {
    Status written = cgroup_->Write(file, value);
    if (!written) missing_ = written.error().message();
    return written.has_value();
  };
  held_.memory = held_.memory && write("memory.max", std::to_string(limits.memory_bytes));
  if (held_.memory) {
    held_.memory = write("memory.oom.group", "1");
    (void)cgroup_->Write("memory.swap.max", "0");  // not there where swap is not counted
  }
  held_.processes =
      held_.processes && write("pids.max", std::to_string(limits.processes + uint64_t{own_processes}));
  held_.processors = held_.processors && write("cpu.max", std::to_string(limits.cpus * kPeriodMicros) + " " +
                                                              std::to_string(kPeriodMicros));
}

JobCgroup::~JobCgroup() {
  // What cannot be removed now is when the seat is next taken.
  if (cgroup_) (void)cgroup_->Remove();
}

CgroupUse JobCgroup::Use() const {
  CgroupUse use;
  if (!cgroup_) return use;
  use.memory_peak_bytes = OneNumber(*cgroup_, "memory.peak");
  if (use.memory_peak_bytes == 0) use.memory_peak_bytes = OneNumber(*cgroup_, "memory.current");
  use.cpu_ms = static_cast<int64_t>(NumberAfter(*cgroup_, "cpu.stat", "usage_usec") / 1000);
  if (NumberAfter(*cgroup_, "memory.events", "oom_kill") == 0) return use;
  use.was_over_memory = NumberAfter(*cgroup_, "memory.events", "oom") > 0;
  use.machine_was_full = !use.was_over_memory;
  return use;
}

void JobCgroup::Kill() const {
  if (cgroup_) cgroup_->KillAll();
}

}  // namespace glasscase::jobs
