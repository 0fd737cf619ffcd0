// What the runtime is told of a job's container (the Open Container Initiative's config.json).
#pragma once

#include <map>
#include <string>
#include <vector>

#include <glasscase/jobs/executor.h>

namespace glasscase::jobs {

struct Bundle {
  std::string enclose;                 // the program of the same name
  std::vector<std::string> devices{};  // passed on
  std::map<std::string, std::string> environment{};
};

// The container's root is the folder "root" beside this file.
std::string DescribeContainer(const Job& job, const Bundle& bundle);

}  // namespace glasscase::jobs
