#include <glasscase/jobs/processors.h>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <set>

#include <gtest/gtest.h>

namespace glasscase::jobs {
namespace {

class ProcessorsTest : public ::testing::Test {
 protected:
  ProcessorsTest() : folder_(std::string(::mkdtemp(template_.data())) + "/locks") {
    cpu_set_t mine;
    EXPECT_EQ(::sched_getaffinity(0, sizeof mine, &mine), 0);
    there_ = CPU_COUNT(&mine);
  }
  ~ProcessorsTest() override { std::filesystem::remove_all(template_.data()); }
  ProcessorLease Lease(uint32_t count) const { return LeaseProcessors(count, folder_); }
  static int CountOf(const ProcessorLease& lease) { return CPU_COUNT(&lease.processors); }

  std::array<char, 40> template_{"/tmp/glasscase-processors-XXXXXX"};
  std::string folder_;
  int there_ = 0;
};

TEST_F(ProcessorsTest, JobsHaveTheirOwnAsLongAsThereAreSome) {
  std::vector<ProcessorLease> leases;
  cpu_set_t all;
  CPU_ZERO(&all);
  for (int i = 0; i < there_; ++i) {
    leases.push_back(Lease(1));
    EXPECT_EQ(CountOf(leases.back()), 1);
    CPU_OR(&all, &all, &leases.back().processors);
  }
  EXPECT_EQ(CPU_COUNT(&all), there_) << "no two on the same one";
  const ProcessorLease one_more = Lease(1);
  EXPECT_EQ(CountOf(one_more), 1) << "shared, but not refused";
  EXPECT_TRUE(one_more.locks.empty());
  const cpu_set_t first = leases.front().processors;
  leases.erase(leases.begin());
  const ProcessorLease again = Lease(1);
  EXPECT_TRUE(CPU_EQUAL(&again.processors, &first)) << "what a job had is free after it";
}

TEST_F(ProcessorsTest, ThoseOfOtherProcessesCountToo) {
  int ready[2], go[2];
  ASSERT_EQ(::pipe(ready), 0);
  ASSERT_EQ(::pipe(go), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const ProcessorLease lease = Lease(static_cast<uint32_t>(there_));
    (void)!::write(ready[1], "x", 1);
    char byte = 0;
    (void)!::read(go[0], &byte, 1);
    ::_exit(0);
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  EXPECT_TRUE(Lease(1).locks.empty());
  ASSERT_EQ(::write(go[1], "x", 1), 1);
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(Lease(1).locks.size(), 1u);
}

TEST_F(ProcessorsTest, AsManyAsAreAskedForOrThere) {
  EXPECT_EQ(CountOf(Lease(0)), there_);
  EXPECT_EQ(CountOf(Lease(10'000)), there_);
}

TEST_F(ProcessorsTest, JobsThatShareDoNotAllShareTheSameOne) {
  const ProcessorLease all = Lease(0);
  std::set<int> seen;
  for (int i = 0; i < there_; ++i) {
    const ProcessorLease shared = Lease(1);
    for (int one = 0; one < CPU_SETSIZE; ++one)
      if (CPU_ISSET(one, &shared.processors)) seen.insert(one);
  }
  EXPECT_EQ(static_cast<int>(seen.size()), there_);
}

TEST_F(ProcessorsTest, WithoutAFolderAllAreShared) {
  const ProcessorLease lease = LeaseProcessors(1, "/proc/nowhere");
  EXPECT_EQ(CountOf(lease), 1);
  EXPECT_TRUE(lease.locks.empty());
}

}  // namespace
}  // namespace glasscase::jobs
