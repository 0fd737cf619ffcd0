#include <glasscase/jobs/namespaces.h>

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include <glasscase/jobs/supervise.h>

namespace glasscase::jobs {

void ExplainExit(JobEnd& end, const std::string& last_line) {
  if (end.exit_code > 128) end.signal = std::exchange(end.exit_code, 0) - 128;
  end.reason = end.signal != 0 ? "the program was ended by signal " + std::to_string(end.signal)
                               : "the program ended with exit code " + std::to_string(end.exit_code);
  if (!last_line.empty()) end.reason += "; it printed last: " + last_line;
}

std::vector<std::string> LimitsInForce(const Limits& limits, std::string_view files,
                                       const std::vector<std::string>& devices, const JobCgroup& cgroup) {
  const std::string looked = " looked at every " + std::to_string(kWatchEveryMs) + " ms";
  const process::CgroupControllers held = cgroup.held();
  const auto bytes = [](uint64_t number) { return std::to_string(number) + " bytes"; };
  std::vector<std::string> in_force = {
      "network: none",
      "files: " + std::string(files),
      "user, processes, host name: its own namespaces",
      "system calls: without those that reach beyond",
      "processors: " + std::to_string(limits.cpus) + (held.processors ? ", their time by its cgroup" : ""),
      "processes and threads: " + std::to_string(limits.processes) +
          (held.processes ? ", of all together by its cgroup" : ""),
      "memory: " + bytes(limits.memory_bytes) + ", of all together" +
          (held.memory ? " by its cgroup" : looked) + "; data of each process by the kernel",
      "disk: " + bytes(limits.disk_bytes) + " in " + std::to_string(limits.files) + " files, all together" +
          looked + "; each file by the kernel",
      "time: " + std::to_string(limits.wall_ms) + " ms," + looked,
      "/tmp and /dev/shm: " + bytes(limits.temporary_bytes) + " and " + std::to_string(limits.files) +
          " files each"};
  for (const std::string& device : devices) in_force.push_back("device passed on: " + device);
  return in_force;
}

std::vector<std::string> LimitsMissing(const JobCgroup& cgroup) {
  std::vector<std::string> missing = {
      "disk of the whole job by the kernel: no quota is delegated, and files without a name that are on "
      "their way between processes are not counted"};
  const std::string lacking = process::ControllersText(cgroup.held(), false);
  if (lacking.empty()) return missing;
  const std::string& why = cgroup.missing();
  missing.push_back(lacking + " of the whole job by the kernel: " +
                    (why.empty() ? "the cgroup that is delegated does not control it" : why));
  if (!cgroup.held().memory)
    missing.emplace_back(
        "memory that no process has resident: shared memory that was given back, what lies in pipes and "
        "sockets");
  return missing;
}

uint64_t OpenFilesMax() {
  constexpr rlim_t kWanted = 4'096;
  rlimit limit{};
  return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? std::min(kWanted, limit.rlim_max) : kWanted;
}

Status CheckDevices(const std::vector<std::string>& devices) {
  for (const std::string& device : devices)
    if (::access(device.c_str(), F_OK) != 0)
      return Fail(Error::Unavailable("the device " + device + " is not there"));
  return Ok();
}

bool HasDevices(const std::string& path) {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) return false;
  return S_ISCHR(facts.st_mode) || S_ISBLK(facts.st_mode) ||
         (S_ISDIR(facts.st_mode) && path.starts_with("/dev/"));
}

}  // namespace glasscase::jobs
