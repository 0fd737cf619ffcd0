// A process that takes the cgroup it is in, as a supervisor does, and sits down in it, as a worker does.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <glasscase/process/cgroup.h>
#include <gtest/gtest.h>

namespace glasscase::process::testing {

class Seated {
 public:
  static Seated& Get() {
    static Seated seated;
    return seated;
  }
  const CgroupSeat& seat() const { return seat_; }
  std::vector<std::string> InSeat() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(seat_.folder))
      if (entry.is_directory()) names.push_back(entry.path().filename());
    return names;
  }
  void GiveBack() {
    if (!taken_) return;
    EXPECT_TRUE(Cgroup::Open(taken_->path() + "/processes")->Write("cgroup.procs", "0"));
    taken_->GiveBack();
  }

 private:
  Seated() {
    const Status seated = SitDown();
    if (!seated) ADD_FAILURE() << seated.error().message();
  }
  Status SitDown() {
    GC_TRY(taken_, DelegatedCgroup::Take({getpid()}));
    GC_TRY(const Cgroup leaf, taken_->MakeSeat("worker-1", std::nullopt));
    GC_TRY_VOID(leaf.Write("cgroup.procs", "0"));
    GC_TRY(seat_, TakeSeat(taken_->SeatFolder("worker-1")));
    return Ok();
  }

  std::optional<DelegatedCgroup> taken_;
  CgroupSeat seat_;
};

// For ::testing::AddGlobalTestEnvironment.
class GivesBack final : public ::testing::Environment {
 public:
  void TearDown() override { Seated::Get().GiveBack(); }
};

}  // namespace glasscase::process::testing
