#include <glasscase/jobs_slurm/slurm.h>

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include <glasscase/jobs/testing/executor_contract.h>

namespace glasscase::jobs::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// As root, jobs on the node get a user of their own, as elsewhere.
std::optional<uid_t> User() {
  if (::geteuid() == 0) return 60'677;
  return std::nullopt;
}

// A real Slurm of one node, for all tests.
class Cluster {
 public:
  static const Cluster& Get() {
    static const Cluster cluster;
    return cluster;
  }
  SlurmOptions Options() const {
    return {.on_node = {ON_NODE, OwnLeases()},
            .partition = "jobs",
            .environment = {{"SLURM_CONF", folder_ / "slurm.conf"}},
            .delay_ms = 2'000,
            .patience_ms = 3'000};
  }
  void Do(const std::string& act) const {
    const std::string words = std::string(CLUSTER) + " " + act;
    ASSERT_EQ(std::system(words.c_str()), 0) << words;
  }
  void Kill(const std::string& daemon) const {
    ASSERT_EQ(std::system(("kill -KILL $(cat " + (folder_ / (daemon + ".pid")).string() + ")").c_str()), 0);
  }
  void RunAgain(const std::string& daemon) const { Do("run " + folder_.string() + " " + daemon); }

 private:
  Cluster() { Do("start " + folder_.string()); }
  ~Cluster() {
    Do("stop " + folder_.string());
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  const fs::path folder_ = fs::temp_directory_path() / ("gc-slurm-" + Uuid::Random().ToString());
};

ExecutorCase Case() {
  return {.make = [] { return MakeSlurm(Cluster::Get().Options()); }, .user = User(), .start_ms = 4'000};
}

INSTANTIATE_TEST_SUITE_P(Slurm, ExecutorContract, ::testing::Values(Case()));

class SlurmTest : public ExecutorContract {
 protected:
  // Calls `act` once the job has printed something.
  JobEnd RunAndMeanwhile(const Job& job, const std::function<void()>& act) {
    std::thread other;
    recorder_.on_log = [&] {
      if (!other.joinable()) other = std::thread(act);
    };
    const JobEnd end = Run(job);
    if (other.joinable()) other.join();
    return end;
  }
};

TEST_P(SlurmTest, ACrashOfTheDaemonsLosesNoJob) {
  const Cluster& cluster = Cluster::Get();
  const JobEnd end = RunAndMeanwhile(Shell("echo begun; sleep 9; echo ended; echo kept > model"), [&] {
    std::this_thread::sleep_for(
        std::chrono::seconds(6));  // until slurmctld has written down what it was given
    cluster.Kill("slurmctld");
    cluster.Kill("slurmd");
    std::this_thread::sleep_for(std::chrono::seconds(1));
    cluster.RunAgain("slurmctld");
    cluster.RunAgain("slurmd");
  });
  EXPECT_EQ(end.ending, Ending::kSucceeded) << end.reason;
  EXPECT_EQ(recorder_.log, "begun\nended\n");
  EXPECT_EQ(Result("model"), "kept\n");
}

TEST_P(SlurmTest, AJobThatSomebodyElseEndsIsNotItsOwnFault) {
  const JobEnd end = RunAndMeanwhile(Shell("echo begun; sleep 54321.5"), [] {
    (void)!std::system(
        ("SLURM_CONF=" + Cluster::Get().Options().environment.at("SLURM_CONF") + " scancel --name=glasscase")
            .c_str());
  });
  EXPECT_EQ(end.ending, Ending::kNotStarted);
  EXPECT_THAT(end.reason, HasSubstr("CANCELLED"));
  EXPECT_EQ(CountProcesses("54321.5"), 0);
}

TEST_P(SlurmTest, AJobWhoseWorkerIsGoneEndsOnItsNode) {
  const pid_t worker = ::fork();
  if (worker == 0) {
    Run(Shell("echo begun; sleep 43219.5"));
    ::_exit(0);
  }
  const auto wait_for = [](int count) {
    for (int i = 0; i < 200 && (CountProcesses("43219.5") > 0) != (count > 0); ++i) ::usleep(100'000);
    return CountProcesses("43219.5") > 0;
  };
  EXPECT_TRUE(wait_for(1));
  ::kill(worker, SIGKILL);
  ::waitpid(worker, nullptr, 0);
  EXPECT_FALSE(wait_for(0));
}

TEST_P(SlurmTest, TheNodeSaysWhatItIs) { EXPECT_EQ(Run(Shell("true")).machine, R"({"name":"node"})"); }

TEST_P(SlurmTest, APartitionThatIsNotThereIsSaid) {
  SlurmOptions options = Cluster::Get().Options();
  options.partition = "fast";
  const auto other = MakeSlurm(options);
  EXPECT_THAT(other->Check().error().message(), HasSubstr("fast"));
  const JobEnd end = other->Run(Shell("true"), recorder_);
  EXPECT_EQ(end.ending, Ending::kNotStarted);
  EXPECT_THAT(end.reason, HasSubstr("artition"));
}

TEST_P(SlurmTest, AProgramThatIsNotOnTheNodeIsSaid) {
  SlurmOptions options = Cluster::Get().Options();
  options.on_node = {"/usr/bin/no-such-worker"};
  const JobEnd end = MakeSlurm(options)->Run(Shell("true"), recorder_);
  EXPECT_EQ(end.ending, Ending::kNotStarted);
  EXPECT_THAT(end.reason, HasSubstr("no-such-worker"));
}

INSTANTIATE_TEST_SUITE_P(Slurm, SlurmTest, ::testing::Values(Case()));

}  // namespace
}  // namespace glasscase::jobs::testing
