// Jobs in cgroups. Has to be started in a cgroup that is delegated to its user, with no other process in it:
// tests/cgroups does, on a machine of its own.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include <glasscase/jobs/child.h>
#include <glasscase/jobs/job_cgroup.h>
#include <glasscase/jobs/testing/executor_contract.h>
#include <glasscase/jobs/testing/printed_by.h>
#include <glasscase/jobs_bubblewrap/bubblewrap.h>
#include <glasscase/process/cgroup.h>
#include <glasscase/process/testing/seated.h>

namespace glasscase::jobs::testing {
namespace {

using process::testing::Seated;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr uint64_t kMebibyte = uint64_t{1} << 20;

std::optional<uid_t> User() {
  if (::geteuid() == 0) return 60'677;
  return std::nullopt;
}

class CgroupTest : public ExecutorContract {
 protected:
  static const process::CgroupSeat& Seat() { return Seated::Get().seat(); }

  void TearDown() override {
    EXPECT_THAT(Seated::Get().InSeat(), ::testing::ElementsAre("own")) << "a job's cgroup was left";
  }
  // What a program prints, in that cgroup and no other sandbox.
  static std::string SaysIn(const JobCgroup& cgroup, std::vector<std::string> command) {
    return PrintedBy({.command = std::move(command), .cgroup = cgroup.fd()});
  }
};

TEST_P(CgroupTest, WhatHoldsIsSaid) {
  const JobEnd end = Run(Shell("true"));
  EXPECT_EQ(end.ending, Ending::kSucceeded) << end.reason;
  EXPECT_THAT(end.in_force, Contains("processors: 1, their time by its cgroup"));
  EXPECT_THAT(end.in_force, Contains("processes and threads: 64, of all together by its cgroup"));
  EXPECT_THAT(
      end.in_force,
      Contains("memory: 268435456 bytes, of all together by its cgroup; data of each process by the kernel"));
  EXPECT_THAT(end.missing, ::testing::ElementsAre(
                               HasSubstr("disk of the whole job by the kernel: no quota is delegated")));
}

TEST_P(CgroupTest, ManyProcessesThatTogetherPassTheLimitAreEndedByTheKernel) {
  const JobEnd end = Run(Python(R"(
import os, time
for _ in range(40):
    if os.fork() == 0:
        kept = bytearray(20 << 20)
        for i in range(0, len(kept), 4096): kept[i] = 1
        time.sleep(60)
time.sleep(60)
)"));
  EXPECT_EQ(end.ending, Ending::kOverMemory) << end.reason;
  EXPECT_EQ(end.reason, "it used more memory than 256 MiB");
  EXPECT_GT(end.usage.memory_peak_bytes, 250 * kMebibyte);
  EXPECT_LE(end.usage.memory_peak_bytes, 256 * kMebibyte) << "the limit was passed";
  EXPECT_GT(end.usage.cpu_ms, 0);
}

TEST_P(CgroupTest, WhatLiesInTemporaryFilesCounts) {
  limits_.memory_bytes = 64 * kMebibyte;
  limits_.temporary_bytes = 256 * kMebibyte;
  limits_.disk_bytes = 256 * kMebibyte;  // of which one file may have as much, there too
  const JobEnd end = Run(Shell("dd if=/dev/zero of=/tmp/x bs=1M count=100; sleep 60"));
  EXPECT_EQ(end.ending, Ending::kOverMemory) << end.reason << recorder_.log;
}

TEST_P(CgroupTest, FilesThatAreKeptInMemoryAreGivenUpBeforeTheJobIsEnded) {
  limits_.memory_bytes = 64 * kMebibyte;
  limits_.disk_bytes = 512 * kMebibyte;
  const JobEnd end =
      Run(Shell("dd if=/dev/zero of=/out/x bs=1M count=200 2>&1 && cat /out/x /out/x >/dev/null"));
  EXPECT_EQ(end.ending, Ending::kSucceeded) << end.reason;
  EXPECT_EQ(end.usage.disk_bytes >> 20, 200u);
}

TEST_P(CgroupTest, AMachineWithoutMemoryIsNotTheJobsFault) {
  const auto seat = process::Cgroup::Open(Seat().folder);
  ASSERT_TRUE(seat->Write("memory.max", std::to_string(120 * kMebibyte)));
  const JobEnd end = Run(Python("x = bytearray(200 << 20)\nfor i in range(0, len(x), 4096): x[i] = 1"));
  ASSERT_TRUE(seat->Write("memory.max", "max"));
  EXPECT_EQ(end.ending, Ending::kNotStarted) << end.reason;
  EXPECT_THAT(end.reason, HasSubstr("the machine had no memory left"));
}

TEST_P(CgroupTest, AForkBombIsHeldWithoutLimitsOfItsUser) {
  const JobCgroup cgroup = JobCgroup::Make(Seat(), limits_, 0);
  const std::string said = SaysIn(cgroup, {"/usr/bin/python3", "-c", R"(
import os, time
made = 0
try:
    while made < 1000:
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
        made += 1
except BlockingIOError:
    pass
print('made', made, flush=True)
os.kill(0, 9)
)"});
  EXPECT_EQ(said, "made 63\n") << "and the one that made them";
}

TEST_P(CgroupTest, ProcessorsThatAJobTakesForItselfGiveItNoMoreTime) {
  ASSERT_GT(::sysconf(_SC_NPROCESSORS_ONLN), 1);
  const JobEnd end = Run(Python(R"(
import os, time
os.sched_setaffinity(0, range(os.cpu_count()))
print(len(os.sched_getaffinity(0)) > 1)
for _ in range(3): os.fork()
begun = time.monotonic()
while time.monotonic() - begun < 3: pass
)"));
  EXPECT_EQ(end.ending, Ending::kSucceeded) << end.reason;
  EXPECT_THAT(recorder_.log, HasSubstr("True")) << "it did not get them, so nothing was shown";
  EXPECT_GT(end.usage.cpu_ms, 2'000);
  EXPECT_LT(end.usage.cpu_ms, end.usage.wall_ms * 5 / 4) << "one processor";
}

TEST_P(CgroupTest, WhatLeftTheTreeAndIgnoresSigtermIsGoneAtOnce) {
  std::optional<JobCgroup> cgroup(JobCgroup::Make(Seat(), limits_, 0));
  const std::string said =
      SaysIn(*cgroup, {"/bin/sh", "-c", "trap '' TERM; setsid sleep 54321.25 >/dev/null 2>&1 & echo begun"});
  EXPECT_EQ(said, "begun\n");
  EXPECT_EQ(CountProcesses("54321.25"), 1);
  EXPECT_FALSE(cgroup->IsEmpty());
  cgroup.reset();
  EXPECT_EQ(CountProcesses("54321.25"), 0);
}

TEST_P(CgroupTest, LeftoversOfAWorkerThatWasKilledAreRemovedWhenItsSeatIsTakenAgain) {
  const auto left = process::Cgroup::Make(Seat().folder + "/job-left");
  ASSERT_TRUE(left);
  ASSERT_TRUE(process::Cgroup::Make(left->path() + "/below"));
  auto child =
      StartChild({.command = {"/bin/sh", "-c", "trap '' TERM; sleep 43210.25"}, .cgroup = left->fd()});
  ASSERT_TRUE(child) << child.error().message();
  const auto taken = process::TakeSeat(Seat().folder);
  EXPECT_TRUE(taken) << taken.error().message();
  ::waitpid(child->pid, nullptr, 0);
  EXPECT_EQ(CountProcesses("43210.25"), 0);
}

// As seccomp filters of containers refuse it.
void RefuseClone3() {
  sock_filter words[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{.len = sizeof words / sizeof words[0], .filter = words};
  ASSERT_EQ(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
  ASSERT_EQ(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

TEST_P(CgroupTest, AChildThatCannotBeBornInItsCgroupEntersItBeforeItBegins) {
  const JobCgroup cgroup = JobCgroup::Make(Seat(), limits_, 0);
  std::string said;
  std::thread([&] {
    RefuseClone3();
    said = SaysIn(cgroup, {"/bin/cat", "/proc/self/cgroup"});
  }).join();
  EXPECT_THAT(said, HasSubstr("/worker-1/job-"));
  EXPECT_EQ(SaysIn(cgroup, {"/bin/cat", "/proc/self/cgroup"}), said) << "born there";
}

TEST_P(CgroupTest, WhereNoneCanBeMadeTheJobRunsAndSaysWhy) {
  const auto executor =
      MakeBubblewrap({.user = User(), .cgroups = {.folder = "/sys/fs/cgroup/none", .missing = {}}});
  const JobEnd end = executor->Run(Shell("true"), recorder_);
  EXPECT_EQ(end.ending, Ending::kSucceeded) << end.reason;
  EXPECT_THAT(end.missing, Contains(HasSubstr("cannot make the cgroup /sys/fs/cgroup/none/job-")));
  EXPECT_THAT(end.in_force, Not(Contains(HasSubstr("by its cgroup"))));
}

TEST_P(CgroupTest, ItCostsLittle) {
  const auto without = MakeBubblewrap({.user = User()});
  constexpr int kTimes = 20;
  const auto add_milliseconds_of = [&](Executor& executor, double& sum) {
    const auto begun = std::chrono::steady_clock::now();
    executor.Run(Shell("true"), recorder_);
    sum +=
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begun).count() / kTimes;
  };
  double bare = 0, held = 0;
  for (int i = 0; i < kTimes; ++i) {
    add_milliseconds_of(*without, bare);
    add_milliseconds_of(*executor_, held);
  }
  std::printf("a job of nothing: %.1f ms without a cgroup, %.1f ms in one\n", bare, held);
  EXPECT_LT(held, 2 * bare);
}

TEST(Seat, IsNotTakenWhereOthersAre) {
  const auto again = process::DelegatedCgroup::Take({});
  ASSERT_FALSE(again);
  EXPECT_THAT(again.error().message(), HasSubstr("has other processes than Glasscase's"));
}

ExecutorCase Case() {
  return {
      .make =
          [] {
            return MakeBubblewrap({.user = User(), .cgroups = Seated::Get().seat(), .leases = OwnLeases()});
          },
      .user = User(),
      .start_ms = 20'000,
      .times_as_long = 5};
}

INSTANTIATE_TEST_SUITE_P(InCgroups, ExecutorContract, ::testing::Values(Case()));
INSTANTIATE_TEST_SUITE_P(InCgroups, CgroupTest, ::testing::Values(Case()));

const auto* const gives_back = ::testing::AddGlobalTestEnvironment(new process::testing::GivesBack);

}  // namespace
}  // namespace glasscase::jobs::testing
