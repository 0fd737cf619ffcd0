// What is recorded of the machine that a run was done on.
#pragma once

#include <string>
#include <vector>

#include <boost/json/object.hpp>

#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>

namespace glasscase::working {

// Processor (model, instruction sets), kernel, C library.
boost::json::object DescribeMachine();

struct InstalledRunner {
  std::string name;
  Digest lock{};  // SHA-256 of requirements.txt
};
// By name; a folder without a lock file is passed over.
std::vector<InstalledRunner> ListRunners(const std::string& folder);
// FailedPrecondition when it is not there, or has another lock file.
Result<InstalledRunner> FindRunner(const std::string& folder, const std::string& name, const Digest& lock);

}  // namespace glasscase::working
