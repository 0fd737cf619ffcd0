// Where the worker makes the cgroups of its jobs, as whoever starts it says.
#pragma once

#include <optional>
#include <string>

#include <CLI/CLI.hpp>

#include <glasscase/process/cgroup.h>

namespace glasscase::worker {

struct SeatArguments {
  std::string folder;   // a seat that this process is in
  std::string missing;  // where there is none: why
};

void DeclareSeatOptions(CLI::App& app, SeatArguments& arguments);

// No seat where there is none, with the reason, which is logged too.
process::CgroupSeat TakeSeatOf(const SeatArguments& arguments);

// For a worker that nobody gives a seat to: the process that keeps it takes its own cgroup for both.
class OwnSeat {
 public:
  OwnSeat();
  // Moves the calling process, which is to be the worker, into it.
  SeatArguments Enter() const;
  void GiveBack();

 private:
  std::optional<process::DelegatedCgroup> cgroup_;
  std::string missing_;
};

}  // namespace glasscase::worker
