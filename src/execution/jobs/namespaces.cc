#include <glasscase/jobs/namespaces.h>

#include <unistd.h>

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
                                       const std::vector<std::string>& devices) {
  const std::string looked = " looked at every " + std::to_string(kWatchEveryMs) + " ms";
  std::vector<std::string> in_force = {
      "network: none",
      "files: " + std::string(files),
      "user, processes, host name: its own namespaces",
      "system calls: without those that reach beyond",
      "processors: " + std::to_string(limits.cpus),
      "processes and threads: " + std::to_string(limits.processes),
      "memory: data of each process by the kernel, of all together" + looked,
      "disk: each file by the kernel, all together" + looked,
      "/tmp and /dev/shm: " + std::to_string(limits.temporary_bytes) + " bytes each"};
  for (const std::string& device : devices) in_force.push_back("device passed on: " + device);
  return in_force;
}

std::vector<std::string> LimitsMissing() {
  return {"memory and disk of the whole job by the kernel: no cgroup and no quota is delegated"};
}

Status CheckDevices(const std::vector<std::string>& devices) {
  for (const std::string& device : devices)
    if (::access(device.c_str(), F_OK) != 0)
      return Fail(Error::Unavailable("the device " + device + " is not there"));
  return Ok();
}

}  // namespace glasscase::jobs
