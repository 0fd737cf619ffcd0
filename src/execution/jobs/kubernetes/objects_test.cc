#include "objects.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace glasscase::jobs {
namespace {

namespace bj = boost::json;
using ::testing::HasSubstr;

const std::string kImage = "registry.example/trainer@sha256:" + std::string(64, 'a');

KubernetesOptions Options() {
  return {.access = {.url = "https://cluster.example"},
          .claim = "files",
          .claim_folder = "glasscase/jobs",
          .folder = "/shared/jobs"};
}
Job JobWith(std::vector<std::string> command) {
  return {.folder = "/shared/jobs/glasscase-jobs-Ab12Cd/run",
          .image = kImage,
          .command = std::move(command),
          .environment = {{"PRICE", "$(HOME) $5"}},
          .limits = {.cpus = 2,
                     .memory_bytes = uint64_t{256} << 20,
                     .temporary_bytes = uint64_t{16} << 20,
                     .wall_ms = 1'500,
                     .grace_ms = 300}};
}
bj::object Described(const Job& job, const KubernetesOptions& options) {
  return DescribeJob("glasscase-x", job, PlaceOf(job, options).value(), 1000, options);
}
const bj::value& PodOf(const bj::value& job) { return job.at_pointer("/spec/template/spec"); }

TEST(KubernetesObjects, TheFilesAreThoseOfTheJobAlone) {
  const bj::value job = Described(JobWith({"true"}), Options());
  const bj::array& mounts = PodOf(job).at_pointer("/containers/0/volumeMounts").as_array();
  EXPECT_EQ(mounts[0], (bj::value{{"name", "files"},
                                  {"mountPath", "/in"},
                                  {"readOnly", true},
                                  {"subPath", "glasscase/jobs/glasscase-jobs-Ab12Cd/run/in"}}));
  EXPECT_EQ(mounts[1].at("subPath"), "glasscase/jobs/glasscase-jobs-Ab12Cd/run/out");
  EXPECT_EQ(mounts.size(), 4u);
  EXPECT_EQ(PodOf(job).at_pointer("/volumes/0/persistentVolumeClaim/claimName"), "files");
}

TEST(KubernetesObjects, AFolderThatIsNotOnTheVolumeIsRefused) {
  for (const char* folder : {"/shared", "/shared/jobs", "/shared/jobs/../other/run", "/else/where"}) {
    const auto place = PlaceOf({.folder = folder, .command = {}}, Options());
    ASSERT_FALSE(place) << folder;
    EXPECT_THAT(place.error().message(), HasSubstr("/shared/jobs"));
  }
}

TEST(KubernetesObjects, NothingInACommandOrAVariableIsReplaced) {
  const bj::value job = Described(JobWith({"sh", "-c", "echo $(id) $HOME"}), Options());
  EXPECT_EQ(PodOf(job).at_pointer("/containers/0/command/2"), "echo $$(id) $$HOME");
  EXPECT_EQ(PodOf(job).at_pointer("/containers/0/env/0/value"), "$$(HOME) $$5");
}

TEST(KubernetesObjects, APodHasNoRightsAndNoWayOut) {
  const bj::value job = Described(JobWith({"true"}), Options());
  const bj::value& pod = PodOf(job);
  EXPECT_EQ(pod.at_pointer("/containers/0/securityContext"),
            (bj::value{{"allowPrivilegeEscalation", false},
                       {"capabilities", {{"drop", bj::array{"ALL"}}}},
                       {"privileged", false},
                       {"readOnlyRootFilesystem", true}}));
  EXPECT_EQ(pod.at("securityContext"), (bj::value{{"runAsGroup", 1000},
                                                  {"runAsNonRoot", true},
                                                  {"runAsUser", 1000},
                                                  {"seccompProfile", {{"type", "RuntimeDefault"}}}}));
  for (const char* off :
       {"automountServiceAccountToken", "enableServiceLinks", "hostIPC", "hostNetwork", "hostPID"})
    EXPECT_EQ(pod.at(off), false) << off;
  EXPECT_EQ(pod.at("dnsPolicy"), "None");
  EXPECT_EQ(pod.at("restartPolicy"), "Never");
  EXPECT_EQ(job.at_pointer("/spec/backoffLimit"), 0);
}

TEST(KubernetesObjects, LimitsAreRequestsToo) {
  KubernetesOptions options = Options();
  options.gpus = 2;
  const bj::value job = Described(JobWith({"true"}), options);
  const bj::value& resources = PodOf(job).at_pointer("/containers/0/resources");
  EXPECT_EQ(resources.at("limits"), (bj::value{{"cpu", "2"},
                                               {"memory", "268435456"},
                                               {"ephemeral-storage", std::to_string(80 << 20)},
                                               {"nvidia.com/gpu", "2"}}));
  EXPECT_EQ(resources.at("requests"), resources.at("limits"));
  EXPECT_EQ(PodOf(job).at_pointer("/volumes/2/emptyDir"),
            (bj::value{{"medium", "Memory"}, {"sizeLimit", "16777216"}}));
  EXPECT_EQ(PodOf(job).at("terminationGracePeriodSeconds"), 1);
  EXPECT_EQ(PodOf(job).at("activeDeadlineSeconds"), 1'802);
}

TEST(KubernetesObjects, LabelsNameTheJobTheWorkerAndTheVolume) {
  const bj::value job = Described(JobWith({"true"}), Options());
  for (const char* where : {"/metadata/labels", "/spec/template/metadata/labels"}) {
    const bj::object& labels = job.at_pointer(where).as_object();
    EXPECT_EQ(labels.at(kJobLabel), "glasscase-x");
    EXPECT_EQ(labels.at(kWorkerLabel), "glasscase-jobs-Ab12Cd");
    EXPECT_EQ(labels.at(kVolumeLabel).as_string(), bj::string(VolumeName(Options())));
  }
  KubernetesOptions other = Options();
  other.claim_folder = "else";
  EXPECT_NE(VolumeName(other), VolumeName(Options()));
  EXPECT_EQ(VolumeName(other).size(), 32u);
}

TEST(KubernetesObjects, AWorkflowMakesTheSameJob) {
  KubernetesOptions options = Options();
  options.workflow_account = "maker";
  const Job job = JobWith({"true"});
  const bj::value workflow = DescribeWorkflow("glasscase-x", job, *PlaceOf(job, options), 1000, options);
  EXPECT_EQ(workflow.at("kind"), "Workflow");
  EXPECT_EQ(workflow.at_pointer("/spec/serviceAccountName"), "maker");
  const auto& manifest = workflow.at_pointer("/spec/templates/0/resource/manifest").as_string();
  EXPECT_EQ(bj::parse(manifest), bj::value(Described(job, options)));
}

TEST(KubernetesObjects, WhatIsAllowedBesideThePolicyIsSeen) {
  bj::value policy = DescribePolicy();
  EXPECT_TRUE(DeniesAll(policy));
  bj::value open = policy;
  open.at("spec").as_object()["egress"] = bj::array{bj::object{}};
  EXPECT_FALSE(DeniesAll(open));
  bj::value half = policy;
  half.at("spec").at("policyTypes") = bj::array{"Ingress"};
  EXPECT_FALSE(DeniesAll(half));
  EXPECT_FALSE(DeniesAll(bj::value(nullptr)));
  EXPECT_FALSE(DeniesAll(bj::value{{"kind", "NetworkPolicy"}}));
}

}  // namespace
}  // namespace glasscase::jobs
