// From a complete upload to a version that can be called: inspected in a throw-away process, then committed.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "inspections.h"
#include "routes.h"
#include "uploads.h"

namespace glasscase::operations {

class Publishing {
 public:
  Publishing(Desk& desk, Uploads& uploads, Inspections& inspections)
      : desk_(desk), uploads_(uploads), inspections_(inspections) {}

  // Answers by `reply`, at once or later. Uploads that were not published stay.
  void Begin(const std::shared_ptr<Act>& act, Reply reply);

  void DropOf(const LinkId& edge);

 private:
  struct Job {
    std::shared_ptr<Act> act;
    Reply reply;
    Claim claim;
    uint64_t inspection = 0;
  };
  void BeginDigested(std::unique_ptr<Job> job, const Status& digested);
  void Inspect(std::unique_ptr<Job> job);
  void Commit(std::unique_ptr<Job> job, const rpc::InspectReport& report);
  void EndCommit(Job& job, const Status& bytes, const std::function<Result<Outcome>()>& rows);

  Desk& desk_;
  Uploads& uploads_;
  Inspections& inspections_;
  std::map<const Job*, std::unique_ptr<Job>> digesting_;
  std::map<const Job*, std::unique_ptr<Job>> inspecting_;
  std::map<const Job*, std::unique_ptr<Job>> committing_;
};

// The label of the version after these: one more than the highest number among them.
std::string NextVersionNumber(const std::vector<catalog::Version>& versions);

}  // namespace glasscase::operations
