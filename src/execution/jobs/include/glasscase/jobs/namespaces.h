// What is the same of every sandbox that is made of namespaces, and of every program that ends. For
// executors.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <glasscase/jobs/executor.h>
#include <glasscase/jobs/job_cgroup.h>

namespace glasscase::jobs {

// Of a job that failed by its exit code: the signal that shells give as 128 and more, and a sentence.
void ExplainExit(JobEnd& end, const std::string& last_line);
// JobEnd::in_force: `files` says what it sees of them.
std::vector<std::string> LimitsInForce(const Limits& limits, std::string_view files,
                                       const std::vector<std::string>& devices, const JobCgroup& cgroup);
// That a process of a job may have: RLIMIT_NOFILE, where this process may give as many.
uint64_t OpenFilesMax();
// JobEnd::missing
std::vector<std::string> LimitsMissing(const JobCgroup& cgroup);
// Unavailable names the first that is not there.
Status CheckDevices(const std::vector<std::string>& devices);
// Whether what is opened there is a device: it is one, or a folder below /dev ("/dev/dri").
bool HasDevices(const std::string& path);

}  // namespace glasscase::jobs
