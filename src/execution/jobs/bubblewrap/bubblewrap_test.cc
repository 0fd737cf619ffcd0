#include <glasscase/jobs_bubblewrap/bubblewrap.h>

#include <unistd.h>

#include <glasscase/jobs/testing/executor_contract.h>

namespace glasscase::jobs::testing {
namespace {

// The kernel holds root to no number of processes, so as root jobs get a user of their own.
ExecutorCase Case() {
  std::optional<uid_t> user;
  if (::geteuid() == 0) user = 60'677;
  return {.make = [user] { return MakeBubblewrap({.user = user}); }, .user = user};
}

INSTANTIATE_TEST_SUITE_P(Bubblewrap, ExecutorContract, ::testing::Values(Case()));

TEST(Bubblewrap, AProgramThatIsMissingIsUnavailable) {
  const auto executor = MakeBubblewrap({.program = "/usr/bin/no-such-bwrap"});
  EXPECT_EQ(executor->Check().error().code(), Code::kUnavailable);
}

}  // namespace
}  // namespace glasscase::jobs::testing
