#include "bundle.h"

#include <boost/json.hpp>

#include <glasscase/jobs/namespaces.h>
#include <glasscase/jobs/syscall_filter.h>

namespace glasscase::jobs {
namespace {

namespace bj = boost::json;

constexpr char kInit[] = "/dev/init";
constexpr char kUser[] = "1000";  // as the job sees itself

bj::object Mounted(const std::string& to, const std::string& type, const std::string& from,
                   const std::vector<std::string>& options) {
  return {{"destination", to},
          {"type", type},
          {"source", from},
          {"options", bj::array(options.begin(), options.end())}};
}

bj::object Bound(const std::string& from, const std::string& to, const std::string& how) {
  return Mounted(to, "bind", from, {"bind", how, "nosuid", "nodev"});
}

bj::object Temporary(const std::string& to, const Limits& limits) {
  return Mounted(to, "tmpfs", "tmpfs",
                 {"nosuid", "nodev", "mode=1777", "size=" + std::to_string(limits.temporary_bytes),
                  "nr_inodes=" + std::to_string(limits.files)});
}

// A device or a folder of some, or a file or folder of a driver.
bj::object PassedOn(const std::string& path) {
  if (!HasDevices(path)) return Bound(path, path, "ro");
  return Mounted(path, "bind", path, {"bind", "rw", "nosuid", "noexec"});
}

bj::array MountsOf(const Job& job, const Bundle& bundle) {
  bj::array mounts = {
      Mounted("/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}),
      Mounted("/dev", "tmpfs", "tmpfs", {"nosuid", "mode=755", "size=64k", "ro"}),
      Mounted("/dev/pts", "devpts", "devpts", {"nosuid", "noexec", "newinstance", "ptmxmode=0666"}),
      Temporary("/dev/shm", job.limits),
      Temporary("/tmp", job.limits),
      Bound(bundle.enclose, kInit, "ro"),
      Bound(job.folder + "/in", "/in", "ro"),
      Bound(job.folder + "/out", "/out", "rw")};
  for (const std::string& device : bundle.devices) mounts.push_back(PassedOn(device));
  for (const Mount& mount : job.mounts) mounts.push_back(Bound(mount.from, mount.to, "ro"));
  return mounts;
}

bj::array RlimitsOf(const Limits& limits) {
  const auto limit = [](const char* what, uint64_t value) {
    return bj::object{{"type", what}, {"soft", value}, {"hard", value}};
  };
  // More than the whole may have, so that it is ended with the reason.
  return {limit("RLIMIT_CORE", 0), limit("RLIMIT_NOFILE", OpenFilesMax()),
          limit("RLIMIT_NPROC", limits.processes),
          limit("RLIMIT_FSIZE", limits.disk_bytes + limits.disk_bytes / 4),
          limit("RLIMIT_DATA", limits.memory_bytes + limits.memory_bytes / 4)};
}

bj::object ProcessOf(const Job& job, const Bundle& bundle) {
  const char* unwanted = bundle.environment.contains("HOME") ? "" : "HOME";  // runtimes add it
  bj::array words = {kInit, "inside", kUser, unwanted};
  for (const std::string& word : job.command) words.emplace_back(word);
  bj::array variables;
  for (const auto& [name, value] : bundle.environment) {
    std::string variable = name;
    variables.emplace_back(variable.append("=").append(value));
  }
  const bj::array none;
  // The first program inside needs it once, to make a namespace in which it is not root.
  const bj::array first = {"CAP_SETFCAP"};
  return {{"terminal", false},
          {"cwd", "/out"},
          {"user", {{"uid", 0}, {"gid", 0}, {"umask", job.umask}}},
          {"args", std::move(words)},
          {"env", std::move(variables)},
          {"rlimits", RlimitsOf(job.limits)},
          {"noNewPrivileges", true},
          {"capabilities",
           {{"bounding", first},
            {"effective", first},
            {"permitted", first},
            {"inheritable", none},
            {"ambient", none}}}};
}

}  // namespace

std::string DescribeContainer(const Job& job, const Bundle& bundle) {
  bj::array namespaces;
  for (const char* one : {"pid", "mount", "ipc", "uts", "network"})
    namespaces.emplace_back(bj::object{{"type", one}});
  return bj::serialize(bj::object{
      {"ociVersion", "1.0.2"},
      {"hostname", "job"},
      {"root", {{"path", "root"}, {"readonly", true}}},
      {"process", ProcessOf(job, bundle)},
      {"mounts", MountsOf(job, bundle)},
      {"linux",
       {{"namespaces", std::move(namespaces)},
        {"seccomp", bj::parse(SyscallFilterForRuntime())},
        {"maskedPaths",
         {"/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
          "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi"}},
        {"readonlyPaths", {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}}}}});
}

}  // namespace glasscase::jobs
