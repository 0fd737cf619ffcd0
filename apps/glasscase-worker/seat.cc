#include "seat.h"

#include <unistd.h>

#include <utility>

#include <glasscase/core/log.h>
#include <glasscase/process/confine.h>

namespace glasscase::worker {
namespace {

constexpr const char* kName = "worker";

}  // namespace

void DeclareSeatOptions(CLI::App& app, SeatArguments& arguments) {
  auto* folder = app.add_option("--cgroup", arguments.folder,
                                "A cgroup that this process is in the leaf of: jobs get theirs below it");
  app.add_option("--no-cgroup", arguments.missing, "Why there is none, for the records of runs")
      ->excludes(folder);
}

process::CgroupSeat TakeSeatOf(const SeatArguments& arguments) {
  process::CgroupSeat none;
  if (!arguments.missing.empty()) none.missing = arguments.missing;
  if (!arguments.folder.empty()) {
    auto seat = process::TakeSeat(arguments.folder);
    if (seat) return *std::move(seat);
    none.missing = seat.error().message();
  }
  LogInfo("jobs get no cgroups: " + none.missing);
  return none;
}

OwnSeat::OwnSeat() {
  auto taken = process::DelegatedCgroup::Take({::getpid()});
  if (taken)
    cgroup_ = *std::move(taken);
  else
    missing_ = taken.error().message();
}

SeatArguments OwnSeat::Enter() const {
  if (!cgroup_) return {.folder = {}, .missing = missing_};
  std::optional<uid_t> user;
  if (::geteuid() == 0) user = process::kUserBase + process::kWorkerUserOffset;
  const auto leaf = cgroup_->MakeSeat(kName, user);
  const Status entered = leaf ? leaf->Write("cgroup.procs", "0") : Fail(leaf.error());
  if (!entered) return {.folder = {}, .missing = entered.error().message()};
  return {.folder = cgroup_->SeatFolder(kName), .missing = {}};
}

void OwnSeat::GiveBack() {
  if (cgroup_) cgroup_->GiveBack();
}

}  // namespace glasscase::worker
