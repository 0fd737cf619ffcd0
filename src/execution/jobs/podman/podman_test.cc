#include <glasscase/jobs_podman/podman.h>

#include <filesystem>
#include <string>
#include <vector>

#include <glasscase/jobs/testing/executor_contract.h>

#include "images_test.h"

namespace glasscase::jobs::testing {
namespace {

using ::testing::HasSubstr;

ExecutorCase Case() {
  return {.make = [] { return MakePodman(Images::Get().Options()); },
          .user = User(),
          .image = [] { return Images::Get().image(); }};
}

class PodmanTest : public ExecutorContract {
 protected:
  JobEnd RunWith(const PodmanOptions& options, const Job& job) {
    return MakePodman(options)->Run(job, recorder_);
  }
};

TEST_P(PodmanTest, TheImageThatRanIsNamed) {
  EXPECT_EQ("localhost/test@" + Run(Shell("true")).image, Images::Get().image());
}

TEST_P(PodmanTest, OnlyTheRegistriesThatAreNamedAreAsked) {
  PodmanOptions options = Images::Get().Options();
  options.registries = {"registry.example"};
  const JobEnd end = RunWith(options, Shell("true"));
  EXPECT_EQ(end.ending, Ending::kFailed);
  EXPECT_THAT(end.reason, HasSubstr("takes no images from localhost"));
}

TEST_P(PodmanTest, ARegistryThatDoesNotAnswerIsNotTheJobsFault) {
  PodmanOptions options = Images::Get().Options();
  options.registries = {"127.0.0.1:1"};
  Job job = Shell("true");
  job.image = "127.0.0.1:1/x@sha256:" + std::string(64, '0');
  const JobEnd end = RunWith(options, job);
  EXPECT_EQ(end.ending, Ending::kNotStarted);
  EXPECT_THAT(end.reason, HasSubstr("could not be fetched"));
  EXPECT_THAT(end.reason, HasSubstr("connection refused"));
}

TEST_P(PodmanTest, DevicesInAFolderThatIsPassedOnCanBeOpened) {
  const Terminal terminal(User());
  PodmanOptions options = Images::Get().Options();
  options.devices = {"/dev/pts"};
  const JobEnd end = RunWith(options, Shell("exec 3<>" + terminal.path() + " && echo opened >&3"));
  EXPECT_EQ(end.ending, Ending::kSucceeded) << end.reason;
  EXPECT_THAT(terminal.Read(), HasSubstr("opened"));
}

TEST_P(PodmanTest, ADeviceIsPassedOnAndOneThatIsNotThereIsSaid) {
  PodmanOptions options = Images::Get().Options();
  options.devices = {"/dev/full"};
  const JobEnd end =
      RunWith(options, Shell("test -c /dev/full && ! (echo x >/dev/full) 2>/dev/null && echo full"));
  EXPECT_EQ(recorder_.log, "full\n") << end.reason;
  EXPECT_THAT(end.in_force, ::testing::Contains("device passed on: /dev/full"));
  options.devices = {"/dev/nvidia99"};
  EXPECT_THAT(MakePodman(options)->Check().error().message(), HasSubstr("/dev/nvidia99 is not there"));
}

TEST_P(PodmanTest, NothingOfAJobIsLeftInItsFolder) {
  Run(Shell("true"));
  std::vector<std::string> left;
  for (const auto& entry : fs::directory_iterator(folder_)) left.push_back(entry.path().filename());
  EXPECT_THAT(left, ::testing::UnorderedElementsAre("in", "out"));
}

INSTANTIATE_TEST_SUITE_P(Podman, PodmanTest, ::testing::Values(Case()));

INSTANTIATE_TEST_SUITE_P(Podman, ExecutorContract, ::testing::Values(Case()));

}  // namespace
}  // namespace glasscase::jobs::testing
