// Containers in cgroups; as bubblewrap/testing/cgroups.cc.
#include <glasscase/jobs/testing/executor_contract.h>
#include <glasscase/process/testing/seated.h>

#include "images_test.h"

namespace glasscase::jobs::testing {
namespace {

using process::testing::Seated;
using ::testing::Contains;
using ::testing::HasSubstr;

ExecutorCase Case() {
  return {.make =
              [] {
                PodmanOptions options = Images::Get().Options();
                options.cgroups = Seated::Get().seat();
                return MakePodman(std::move(options));
              },
          .user = User(),
          .image = [] { return Images::Get().image(); },
          .start_ms = 60'000,
          .times_as_long = 5};
}

class PodmanCgroupTest : public ExecutorContract {
 protected:
  void TearDown() override {
    EXPECT_THAT(Seated::Get().InSeat(), ::testing::ElementsAre("own")) << "a container's cgroup was left";
  }
};

TEST_P(PodmanCgroupTest, TheRuntimePutsTheContainerNowhereElse) {
  std::string inside;
  recorder_.on_log = [&] {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(Seated::Get().seat().folder))
      if (entry.is_directory()) inside += entry.path().filename().string().substr(0, 4) + " ";
  };
  const JobEnd end = Run(Shell("cat /proc/self/cgroup"));
  EXPECT_EQ(end.ending, Ending::kSucceeded) << end.reason;
  EXPECT_THAT(recorder_.log, HasSubstr("/worker-1/job-"));
  EXPECT_THAT(inside, ::testing::AnyOf("own job- ", "job- own "));
  EXPECT_THAT(end.in_force, Contains(HasSubstr("268435456 bytes, of all together by its cgroup")));
}

TEST_P(PodmanCgroupTest, ManyProcessesThatTogetherPassTheLimitAreEndedByTheKernel) {
  const JobEnd end = Run(Python(R"(
import os, time
for _ in range(40):
    if os.fork() == 0:
        kept = bytearray(20 << 20)
        for i in range(0, len(kept), 4096): kept[i] = 1
        time.sleep(100)
time.sleep(100)
)"));
  EXPECT_EQ(end.ending, Ending::kOverMemory) << end.reason << recorder_.log;
  EXPECT_EQ(end.reason, "it used more memory than 256 MiB");
  EXPECT_LE(end.usage.memory_peak_bytes, uint64_t{256} << 20) << "the limit was passed";
}

INSTANTIATE_TEST_SUITE_P(InCgroups, PodmanCgroupTest, ::testing::Values(Case()));
INSTANTIATE_TEST_SUITE_P(InCgroups, ExecutorContract, ::testing::Values(Case()));

const auto* const gives_back = ::testing::AddGlobalTestEnvironment(new process::testing::GivesBack);

}  // namespace
}  // namespace glasscase::jobs::testing
