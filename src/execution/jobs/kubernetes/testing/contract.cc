// What every executor promises, on a cluster that tests/kubernetes has started and says in the environment:
// GC_KUBERNETES_URL, _CA, _TOKEN, _NAMESPACE, _CLAIM, _OBJECT, and TMPDIR, the folder that the claim is. Of
// the contract, tests/kubernetes/test_executor.py runs what is the executor's and not the node's.
#include <glasscase/jobs_kubernetes/kubernetes.h>

#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include <glasscase/jobs/testing/executor_contract.h>

namespace glasscase::jobs::testing {
namespace {

using ::testing::HasSubstr;

constexpr char kDigest[] = "@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

std::string Given(const char* name) {
  const char* const value = std::getenv((std::string("GC_KUBERNETES_") + name).c_str());
  return value != nullptr ? value : "";
}

// As root, pods run as another user.
std::optional<uid_t> User() {
  if (::geteuid() == 0) return 60'677;
  return std::nullopt;
}

KubernetesOptions Options() {
  std::ifstream file(Given("CA"));
  return {.access = {.url = Given("URL"),
                     .ca_pem = {std::istreambuf_iterator<char>(file), {}},
                     .token_file = Given("TOKEN")},
          .name_space = Given("NAMESPACE"),
          .claim = Given("CLAIM"),
          .folder = std::filesystem::temp_directory_path(),
          .registries = {"registry.example"},
          .by_workflow = Given("OBJECT") == "workflow",
          .workflow_account = "glasscase-workflow",
          .user = User(),
          .start_ms = 15'000};
}

ExecutorCase Case() {
  return {.make = [] { return MakeKubernetes(Options()); },
          .user = User(),
          .image = [] { return std::string("registry.example/plain") + kDigest; },
          .start_ms = 4'000};
}

INSTANTIATE_TEST_SUITE_P(Kubernetes, ExecutorContract, ::testing::Values(Case()));

class KubernetesTest : public ExecutorContract {
 protected:
  Job WithImage(const std::string& repository) {
    Job job = Shell("true");
    job.image = "registry.example/" + repository + kDigest;
    return job;
  }
};

TEST_P(KubernetesTest, ResultsWithANameAreLimitedInBytes) {
  for (const char* script :
       {"dd if=/dev/zero of=/out/one bs=1M count=100 2>/dev/null; sleep 20",
        "mkdir /out/d; chmod 300 /out/d; for i in 1 2 3 4; do dd if=/dev/zero of=/out/d/$i bs=1M count=20 "
        "2>/dev/null; done; sleep 20",
        "dd if=/dev/zero of=/out/one bs=1M count=100 2>/dev/null"}) {
    const JobEnd end = Run(Shell(script));
    EXPECT_EQ(end.ending, Ending::kOverDisk) << script << "\n" << end.reason << recorder_.log;
    EXPECT_LT(end.usage.wall_ms, 10'000) << script;
  }
}

TEST_P(KubernetesTest, CommandsAndVariablesComeAsTheyAre) {
  Job job = Shell("echo $(id -u) '$(SEED)' $SEED; env | sort; pwd; hostname");
  job.environment = {{"SEED", "$(PATH) $$ 42"}, {"PATH", "/usr/bin"}};
  EXPECT_EQ(Says(job),
            std::to_string(User().value_or(::geteuid())) +
                " $(SEED) $(PATH) $$ 42\nPATH=/usr/bin\nPWD=/out\nSEED=$(PATH) $$ 42\n/out\njob\n");
}

TEST_P(KubernetesTest, TheRecordSaysWhatWasHeldAndWhatWasNot) {
  const JobEnd end = Run(Shell("true"));
  EXPECT_EQ(end.image, std::string(kDigest).substr(1));
  EXPECT_THAT(end.machine, HasSubstr("node-1"));
  EXPECT_THAT(end.in_force, ::testing::Contains(HasSubstr("268435456 bytes")));
  EXPECT_THAT(end.missing, ::testing::Contains(HasSubstr("network")));
}

TEST_P(KubernetesTest, AnImageThatTheRegistryDoesNotHaveIsTheOwnersFault) {
  const JobEnd end = Run(WithImage("absent"));
  EXPECT_EQ(end.ending, Ending::kFailed);
  EXPECT_THAT(end.reason, HasSubstr("registry.example/absent"));
  EXPECT_THAT(end.reason, HasSubstr("not found"));
}

TEST_P(KubernetesTest, AnImageThatDoesNotComeIsOurs) {
  const JobEnd end = Run(WithImage("unreachable"));
  EXPECT_EQ(end.ending, Ending::kNotStarted);
  EXPECT_THAT(end.reason, HasSubstr("i/o timeout"));
}

TEST_P(KubernetesTest, AJobForWhichThereIsNoRoomIsGivenBackInTheSchedulersWords) {
  KubernetesOptions options = Options();
  options.start_ms = 2'000;
  limits_.memory_bytes = uint64_t{1} << 40;
  const JobEnd end = MakeKubernetes(options)->Run(Shell("true"), recorder_);
  EXPECT_EQ(end.ending, Ending::kNotStarted);
  EXPECT_THAT(end.reason, HasSubstr("Insufficient memory"));
}

TEST_P(KubernetesTest, OtherRegistriesAndTagsAreRefused) {
  Job job = Shell("true");
  job.image = std::string("elsewhere.example/plain") + kDigest;
  EXPECT_THAT(Run(job).reason, HasSubstr("registry.example"));
  job.image = "registry.example/plain:latest";
  EXPECT_THAT(Run(job).reason, HasSubstr("digest"));
}

TEST_P(KubernetesTest, WhatTheServerDoesNotTakeIsSaidInItsWords) {
  KubernetesOptions options = Options();
  options.gpus = 1;
  options.gpu_resource = "no such/resource!";
  const JobEnd end = MakeKubernetes(options)->Run(Shell("true"), recorder_);
  EXPECT_EQ(end.ending, Ending::kNotStarted);
  EXPECT_THAT(end.reason, HasSubstr("422"));
  EXPECT_THAT(end.reason, HasSubstr("no such/resource!"));
}

TEST_P(KubernetesTest, AServerThatDoesNotKnowUsIsSaid) {
  KubernetesOptions options = Options();
  options.patience_ms = 500;
  options.access.token_file = std::filesystem::temp_directory_path() / "no-token";
  std::ofstream(options.access.token_file) << "not a token";
  const auto executor = MakeKubernetes(options);
  EXPECT_THAT(executor->Check().error().message(), HasSubstr("401"));
  EXPECT_EQ(executor->Run(Shell("true"), recorder_).ending, Ending::kNotStarted);
  std::filesystem::remove(options.access.token_file);
}

INSTANTIATE_TEST_SUITE_P(Kubernetes, KubernetesTest, ::testing::Values(Case()));

}  // namespace
}  // namespace glasscase::jobs::testing
