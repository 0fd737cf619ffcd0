#include "pod_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace glasscase::jobs {
namespace {

namespace bj = boost::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const Job kJob{.folder = "/shared/x",
               .image = "registry.example/a@sha256:" + std::string(64, 'a'),
               .command = {"/usr/bin/train"},
               .limits = {.memory_bytes = uint64_t{256} << 20, .wall_ms = 60'000}};

PodView Pod(const std::string& status, const std::string& metadata = "{}") {
  const bj::value list = bj::parse(R"({"kind":"PodList","items":[{"metadata":)" + metadata +
                                   R"(,"spec":{"nodeName":"n1"},"status":)" + status + "}]}");
  return ReadPods(list).value().at(0);
}
PodView Terminated(const std::string& state, const std::string& phase = "Failed",
                   const std::string& more = "") {
  return Pod(R"({"phase":")" + phase + R"(","containerStatuses":[{"state":{"terminated":)" + state + "}}]" +
             more + "}");
}
PodView Waiting(const std::string& reason, const std::string& message) {
  return Pod(bj::serialize(bj::value{
      {"phase", "Pending"},
      {"containerStatuses", {{{"state", {{"waiting", {{"reason", reason}, {"message", message}}}}}}}}}));
}
JobEnd EndOf(const PodView& pod) {
  const auto end = EndOfPod(pod, kJob);
  EXPECT_TRUE(end);
  return end.value_or(JobEnd{.ending = Ending::kCancelled, .reason = ""});
}

TEST(PodState, ExitCodesAndSignalsAreTold) {
  EXPECT_EQ(EndOf(Terminated(R"({"exitCode":0,"reason":"Completed"})", "Succeeded")).ending,
            Ending::kSucceeded);
  JobEnd end = EndOf(Terminated(R"({"exitCode":7,"reason":"Error"})"));
  EXPECT_EQ(end.ending, Ending::kFailed);
  EXPECT_EQ(end.exit_code, 7);
  EXPECT_THAT(end.reason, HasSubstr("exit code 7"));
  end = EndOf(Terminated(R"({"exitCode":139,"reason":"Error"})"));
  EXPECT_EQ(end.signal, 11);
  EXPECT_EQ(end.exit_code, 0);
  EXPECT_EQ(EndOf(Terminated(R"({"exitCode":0,"signal":9})")).signal, 9);
}

TEST(PodState, AContainerThatHasEndedCountsBeforeItsPodDoes) {
  EXPECT_EQ(EndOf(Terminated(R"({"exitCode":0})", "Running")).ending, Ending::kSucceeded);
  EXPECT_FALSE(EndOfPod(Pod(R"({"phase":"Running","containerStatuses":[{"state":{"running":{}}}]})"), kJob));
  EXPECT_FALSE(EndOfPod(Pod(R"({"phase":"Pending"})"), kJob));
}

TEST(PodState, MemoryAndTimeAreTheJobsOwnFault) {
  const JobEnd memory = EndOf(Terminated(R"({"exitCode":137,"reason":"OOMKilled"})"));
  EXPECT_EQ(memory.ending, Ending::kOverMemory);
  EXPECT_THAT(memory.reason, HasSubstr("256 MiB"));
  const JobEnd time = EndOf(Pod(R"({"phase":"Failed","reason":"DeadlineExceeded"})"));
  EXPECT_EQ(time.ending, Ending::kTimedOut);
  EXPECT_THAT(time.reason, HasSubstr("longer than 60 s"));
}

TEST(PodState, AnEvictionIsTheirsOrOurs) {
  const auto evicted = [](const std::string& message) {
    return EndOf(
        Pod(bj::serialize(bj::value{{"phase", "Failed"}, {"reason", "Evicted"}, {"message", message}})));
  };
  EXPECT_EQ(evicted(R"(Usage of EmptyDir volume "tmp" exceeds the limit "16Mi".)").ending, Ending::kOverDisk);
  EXPECT_EQ(evicted("Pod ephemeral local storage usage exceeds the total limit of containers 80Mi.").ending,
            Ending::kOverDisk);
  const JobEnd ours = evicted("The node was low on resource: memory.");
  EXPECT_EQ(ours.ending, Ending::kNotStarted);
  EXPECT_THAT(ours.reason, HasSubstr("low on resource"));
}

TEST(PodState, WhatTheClusterTakesAwayIsNotTheJobsFault) {
  const std::string preempted =
      R"(,"conditions":[{"type":"DisruptionTarget","status":"True","reason":"PreemptionByScheduler","message":"for another"}])";
  EXPECT_THAT(EndOf(Terminated(R"({"exitCode":143})", "Failed", preempted)).reason,
              HasSubstr("PreemptionByScheduler"));
  const JobEnd deleted =
      EndOf(Pod(R"({"phase":"Running","containerStatuses":[{"state":{"terminated":{"exitCode":143}}}]})",
                R"({"name":"p","deletionTimestamp":"2026-01-01T00:00:00Z"})"));
  EXPECT_EQ(deleted.ending, Ending::kNotStarted);
  EXPECT_THAT(deleted.reason, HasSubstr("deleted"));
  EXPECT_EQ(EndOf(Pod(R"({"phase":"Failed","reason":"NodeLost"})")).ending, Ending::kNotStarted);
  EXPECT_EQ(EndOf(Pod(R"({"phase":"Failed","reason":"OutOfcpu","message":"no room"})")).ending,
            Ending::kNotStarted);
  // But one that was done before:
  EXPECT_EQ(EndOf(Terminated(R"({"exitCode":0})", "Running", preempted)).ending, Ending::kSucceeded);
}

TEST(PodState, AProgramThatIsNotInTheImageIsSaid) {
  const JobEnd end = EndOf(Terminated(
      R"({"exitCode":128,"reason":"StartError","message":"exec: \"/usr/bin/train\": stat /usr/bin/train: no such file or directory"})"));
  EXPECT_EQ(end.ending, Ending::kFailed);
  EXPECT_THAT(end.reason, HasSubstr("/usr/bin/train"));
  EXPECT_EQ(EndOf(Terminated(R"({"exitCode":128,"reason":"StartError","message":"cgroup: busy"})")).ending,
            Ending::kNotStarted);
}

TEST(PodState, AnImageThatTheRegistryRefusesIsTheOwnersOneThatDoesNotComeIsNot) {
  auto hindrance = WhatHinders(
      Waiting("ErrImagePull", "rpc error: code = NotFound desc = registry.example/a: not found"), kJob);
  ASSERT_TRUE(hindrance);
  EXPECT_EQ(hindrance->ending, Ending::kFailed);
  EXPECT_TRUE(hindrance->is_final);
  EXPECT_THAT(hindrance->reason, HasSubstr("registry.example/a@sha256"));
  hindrance = WhatHinders(Waiting("ImagePullBackOff", "Back-off pulling image: dial tcp: i/o timeout"), kJob);
  ASSERT_TRUE(hindrance);
  EXPECT_EQ(hindrance->ending, Ending::kNotStarted);
  EXPECT_FALSE(hindrance->is_final);
  hindrance = WhatHinders(Waiting("InvalidImageName", "couldn't parse"), kJob);
  EXPECT_EQ(hindrance.value().ending, Ending::kFailed);
}

TEST(PodState, WaitingForANodeAndBadContainersAreSaid) {
  const auto hindrance = WhatHinders(
      Pod(R"({"phase":"Pending","conditions":[{"type":"PodScheduled","status":"False","reason":"Unschedulable","message":"0/3 nodes are available"}]})"),
      kJob);
  EXPECT_THAT(hindrance.value().reason, HasSubstr("0/3 nodes"));
  EXPECT_EQ(hindrance->patience_ms, -1);
  EXPECT_GT(WhatHinders(Waiting("CreateContainerConfigError", "secret not found"), kJob).value().patience_ms,
            0);
  EXPECT_FALSE(WhatHinders(Waiting("ContainerCreating", ""), kJob));
  EXPECT_FALSE(WhatHinders(Pod(R"({"phase":"Pending"})"), kJob));
}

TEST(PodState, TheYoungestPodCountsThatIsNotOnItsWayOut) {
  const bj::value list = bj::parse(R"({"items":[
    {"metadata":{"name":"young","creationTimestamp":"2026-01-03T00:00:00Z","deletionTimestamp":"2026-01-04T00:00:00Z"}},
    {"metadata":{"name":"middle","creationTimestamp":"2026-01-02T00:00:00Z"}},
    {"metadata":{"name":"old","creationTimestamp":"2026-01-01T00:00:00Z"}}]})");
  const auto pods = ReadPods(list);
  EXPECT_EQ(TheOne(*pods)->name, "middle");
  EXPECT_EQ(TheOne({}), nullptr);
}

TEST(PodState, WhatIsNoListIsSaid) {
  for (const char* text : {"{}", "[]", "null", R"({"items":7})"})
    EXPECT_FALSE(ReadPods(bj::parse(text))) << text;
  EXPECT_THAT(ReadPods(bj::parse(R"({"items":null})")).value(), IsEmpty());
  EXPECT_EQ(
      ReadPods(
          bj::parse(
              R"({"items":[7,{"status":{"containerStatuses":[{"state":{"terminated":{"exitCode":1e300}}}]}}]})"))
          .value()
          .size(),
      2u);
}

TEST(PodState, JobsAndWorkflowsSayThatTheyFailed) {
  ObjectView view = ReadObject(bj::parse(
      R"({"status":{"conditions":[{"type":"Failed","status":"True","reason":"DeadlineExceeded","message":"too long"}]}})"));
  EXPECT_TRUE(view.has_failed);
  EXPECT_EQ(EndOfObject(view, kJob).ending, Ending::kTimedOut);
  view = ReadObject(bj::parse(R"({"status":{"phase":"Error","message":"forbidden to create jobs"}})"));
  EXPECT_EQ(EndOfObject(view, kJob).ending, Ending::kNotStarted);
  EXPECT_THAT(EndOfObject(view, kJob).reason, HasSubstr("forbidden"));
  EXPECT_FALSE(ReadObject(bj::parse(R"({"status":{"phase":"Running","active":1}})")).has_failed);
}

TEST(PodState, TheImagesDigestIsFoundWhereThereIsOne) {
  const std::string digest = "sha256:" + std::string(64, 'b');
  EXPECT_EQ(DigestOfImage("registry.example/a@" + digest), digest);
  EXPECT_EQ(DigestOfImage("docker-pullable://registry.example/a@" + digest), digest);
  EXPECT_EQ(DigestOfImage(digest), "");
  EXPECT_EQ(DigestOfImage("a@sha256:short"), "");
}

}  // namespace
}  // namespace glasscase::jobs
