// How a job ended, as the custodian is told.
#pragma once

#include <string>
#include <vector>

#include <boost/json/object.hpp>

#include <glasscase/core/error.h>
#include <glasscase/rpc/link.pb.h>
#include <glasscase/training/results.h>

namespace glasscase::working {

struct Ended {
  rpc::JobEnded::Ending ending = rpc::JobEnded::NOT_RUN;
  std::string reason{};
  boost::json::object record{};
  std::vector<training::ResultFile> files{};
  std::string evidence{};  // JSON
};

// Cancelled; failed, where the job itself is wrong (InvalidArgument, FailedPrecondition); by any other error
// not run, which is our own fault: it is tried again.
rpc::JobEnded::Ending EndingBy(const Error& error);

}  // namespace glasscase::working
