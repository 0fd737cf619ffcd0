#include "run_events.h"

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>

#include <gtest/gtest.h>

namespace glasscase::operations {
namespace {

using catalog::RunState;

class RunEventsTest : public ::testing::Test {
 protected:
  RunEventsTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "glasscase-events-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    events_.emplace(Fd(::open(folder_.c_str(), O_DIRECTORY | O_CLOEXEC)));
  }
  ~RunEventsTest() override { std::filesystem::remove_all(folder_); }

  void Add(RunState state, uint32_t attempt, const std::string& reason = "") {
    run_.state = state;
    run_.attempts = attempt;
    run_.worker = attempt > 0 ? "near" : "";
    run_.reason = reason;
    ASSERT_TRUE(events_->Add(run_, ++now_));
  }
  std::vector<std::string> States() {
    std::vector<std::string> states;
    const auto events = events_->Read(run_).value();
    for (const RunEvent& event : events) states.push_back(event.state);
    return states;
  }
  std::filesystem::path File() { return folder_ / (run_.id.ToString() + ".events"); }

  std::filesystem::path folder_;
  std::optional<RunEvents> events_;
  catalog::Run run_{.id = Uuid::Random(), .created_micros = 5};
  int64_t now_ = 10;
};

TEST_F(RunEventsTest, OneThatHasNotBegunWasQueued) {
  const auto events = events_->Read(run_).value();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].state, "queued");
  EXPECT_EQ(events[0].at_micros, 5);
  EXPECT_FALSE(std::filesystem::exists(File())) << "ten thousand that wait make no file each";
}

TEST_F(RunEventsTest, EachTurnIsKeptOnceWithItsReason) {
  Add(RunState::kQueued, 0);
  Add(RunState::kPreparing, 1);
  Add(RunState::kRunning, 1);
  Add(RunState::kRunning, 1);
  Add(RunState::kQueued, 1, "its worker \"near\" ended\n");
  Add(RunState::kPreparing, 2);
  const auto events = events_->Read(run_).value();
  EXPECT_EQ(States(), (std::vector<std::string>{"queued", "preparing", "running", "queued", "preparing"}));
  EXPECT_EQ(events[3].reason, "its worker \"near\" ended\n");
  EXPECT_EQ(events[4].attempt, 2);
  EXPECT_EQ(events[4].worker, "near");
  EXPECT_LT(events[3].at_micros, events[4].at_micros);
}

TEST_F(RunEventsTest, ALineThatWasCutShortTakesNoOtherWithIt) {
  Add(RunState::kPreparing, 1);
  std::ofstream(File(), std::ios::app) << R"({"at":3,"sta)";
  Add(RunState::kRunning, 1);
  EXPECT_EQ(States(), (std::vector<std::string>{"queued", "preparing", "running"}));
}

TEST_F(RunEventsTest, ThereAreNotMoreThanSoManyBytes) {
  for (uint32_t i = 1; i < 100; ++i) Add(RunState::kQueued, i, std::string(2'000, 'x'));
  EXPECT_LE(std::filesystem::file_size(File()), RunEvents::kBytesMax);
  EXPECT_GT(States().size(), 20u);
}

}  // namespace
}  // namespace glasscase::operations
