// What is recorded of the machine that a run was done on.
#pragma once

#include <string>
#include <vector>

#include <boost/json/object.hpp>

#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>

namespace glasscase::working {

// `root` is where the machine's files are; tests have others.
//
// Processor (model, instruction sets), kernel, and "system": what of /usr decides numbers, which runs of
// runners use (Python, the C library, those of OpenMP and C++).
boost::json::object DescribeMachine(const std::string& root = "");
// "driver" and "gpus" as the driver says them, where there is one; "files": the devices.
boost::json::object DescribeDevices(const std::vector<std::string>& devices, const std::string& root = "");
// The libraries of numbers that an environment says it has: name and version. Nothing of it is executed.
boost::json::object DescribeLibraries(const std::string& runner_folder);

struct InstalledRunner {
  std::string name;
  Digest lock{};  // SHA-256 of requirements.txt
};
// By name; a folder without a lock file is passed over.
std::vector<InstalledRunner> ListRunners(const std::string& folder);
// FailedPrecondition when it is not there, or has another lock file.
Result<InstalledRunner> FindRunner(const std::string& folder, const std::string& name, const Digest& lock);
// FailedPrecondition when its lock file names another Python or library than this machine has in /usr: then
// it is not what the lock file says.
Status CheckSystem(const std::string& runner_folder, const std::string& root = "");
// Both: the folder of a runner that may be run; `runs_here`: on this machine, so that it has to fit it.
Result<std::string> FolderOfRunner(const std::string& folder, const std::string& name, const Digest& lock,
                                   bool runs_here);

}  // namespace glasscase::working
