#include <glasscase/process/cgroup.h>

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace glasscase::process {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

constexpr char kUnified[] =
    "25 30 0:23 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw\n"
    "28 25 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
constexpr char kHybrid[] =
    "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";
constexpr char kInContainer[] =
    "28 25 0:26 /docker/1234 /sys/fs/a\\040b ro,nosuid - cgroup2 cgroup rw,nsdelegate\n";

std::string FolderOf(std::string_view cgroup, std::string_view mountinfo) {
  auto folder = CgroupFolderOf(cgroup, mountinfo);
  return folder ? *folder : folder.error().message();
}

TEST(CgroupFolder, IsBelowTheMountOfVersion2) {
  EXPECT_EQ(FolderOf("0::/system.slice/glasscase.service\n", kUnified),
            "/sys/fs/cgroup/system.slice/glasscase.service");
  EXPECT_EQ(FolderOf("0::/\n", kUnified), "/sys/fs/cgroup");
}

TEST(CgroupFolder, IsFoundBesideThoseOfVersion1) {
  EXPECT_EQ(FolderOf("4:memory:/user\n1:cpu:/\n0::/user\n", kHybrid), "/sys/fs/cgroup/unified/user");
}

TEST(CgroupFolder, IsSeenFromInsideAContainer) {
  EXPECT_EQ(FolderOf("0::/docker/1234\n", kInContainer), "/sys/fs/a b");
  EXPECT_EQ(FolderOf("0::/docker/1234/x\n", kInContainer), "/sys/fs/a b/x");
  EXPECT_THAT(FolderOf("0::/docker/12345\n", kInContainer), HasSubstr("not among those at /sys/fs/a b"));
}

TEST(CgroupFolder, OfASystemWithoutVersion2IsSaidNotToBe) {
  for (const auto& [cgroup, mountinfo] :
       {std::pair("4:memory:/user\n", kUnified),
        std::pair("0::/user\n", "31 23 0:28 / /x rw - tmpfs tmpfs rw\n"), std::pair("", ""),
        std::pair("0::/", " - cgroup2 \n"), std::pair("0::/", "1 2 - cgroup2 x\n")})
    EXPECT_EQ(FolderOf(cgroup, mountinfo), "this system has no cgroups of version 2") << mountinfo;
}

TEST(CgroupNumbers, AreFoundByTheirWholeWord) {
  constexpr char kEvents[] = "low 0\nhigh 0\nmax 112\noom 2\noom_kill 3\noom_group_kill 1\n";
  EXPECT_EQ(CgroupNumber(kEvents, "oom"), 2u);
  EXPECT_EQ(CgroupNumber(kEvents, "oom_kill"), 3u);
  EXPECT_EQ(CgroupNumber(kEvents, "oom_"), std::nullopt);
  EXPECT_EQ(CgroupNumber("populated x\n", "populated"), std::nullopt);
  EXPECT_EQ(CgroupNumber("populated", "populated"), std::nullopt);
}

TEST(CgroupControllersTest, AreNamedInPlainWords) {
  const auto some = CgroupControllers::Parse("cpuset cpu io memory hugetlb\n");
  EXPECT_EQ(some, (CgroupControllers{.memory = true, .processors = true}));
  EXPECT_EQ(ControllersText(some, true), "memory, processors");
  EXPECT_EQ(ControllersText(some, false), "processes");
  EXPECT_FALSE(CgroupControllers::Parse("\n").any());
}

TEST(CgroupNames, TellWhatIsOursFromWhatIsNot) {
  std::string folder = ::testing::TempDir() + "cgroup-XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  const auto make = [&](const std::string& name) {
    return std::filesystem::create_directory(folder + "/" + name);
  };
  for (const char* name : {"processes", "worker", "worker-1", "worker-12"}) EXPECT_TRUE(make(name));
  EXPECT_EQ(FolderOfSomebodyElse(folder), std::nullopt);
  for (const char* name : {"database", "worker-", "worker-1x", "workers", "job-1", "Processes"}) {
    EXPECT_TRUE(make(name));
    EXPECT_EQ(FolderOfSomebodyElse(folder), name);
    std::filesystem::remove(folder + "/" + name);
  }
  std::filesystem::remove_all(folder);
}

// Where this machine has cgroups of version 2 that can be made, the real one; no process of it is touched.
TEST(DelegatedCgroupTest, OneThatSomebodyElseHasAPartOfIsNotTaken) {
  const auto own = Cgroup::Own();
  auto made = own ? Cgroup::Make(own->path() + "/gc-test-" + std::to_string(getpid()))
                  : Result<Cgroup>(Fail(own.error()));
  if (!made) GTEST_SKIP() << made.error().message() << "; make test-cgroups does it";
  ASSERT_TRUE(Cgroup::Make(made->path() + "/database"));
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    (void)made->Write("cgroup.procs", "0");
    const auto taken = DelegatedCgroup::Take({getpid()});
    const std::string said = taken ? "taken" : taken.error().message();
    _exit(write(ends[1], said.data(), said.size()) > 0 ? 0 : 1);
  }
  char said[1'000] = {};
  EXPECT_GT(read(ends[0], said, sizeof said - 1), 0);
  for (const int end : ends) close(end);
  waitpid(child, nullptr, 0);
  EXPECT_THAT(said, AnyOf(HasSubstr("is not Glasscase's, database"), HasSubstr("is systemd's own")));
  EXPECT_TRUE(Cgroup::Open(made->path() + "/database")) << "it was removed";
  EXPECT_TRUE(made->Remove());
}

// Delegated ones are for `make test-cgroups`. Here whoever runs the tests is in the same cgroup, if in no
// other case is the reason found before.
TEST(DelegatedCgroupTest, OneThatIsNotOursAloneIsNotTaken) {
  auto taken = DelegatedCgroup::Take({getpid()});
  if (taken) taken->GiveBack();
  ASSERT_FALSE(taken);
  EXPECT_THAT(taken.error().message(),
              AnyOf(HasSubstr("no cgroups of version 2"), HasSubstr("root of all cgroups"),
                    HasSubstr("is systemd's own"), HasSubstr("belongs to somebody else"),
                    HasSubstr("mounted to be read only"), HasSubstr("controls neither"),
                    HasSubstr("has other processes than Glasscase's")));
}

TEST(CgroupSeatTest, IsTakenOnlyByWhoSitsInIt) {
  const auto seat = TakeSeat("/sys/fs/cgroup/no-such-seat");
  ASSERT_FALSE(seat);
  EXPECT_THAT(seat.error().message(),
              AnyOf(HasSubstr("not below /sys/fs/cgroup/no-such-seat"), HasSubstr("version 2")));
}

}  // namespace
}  // namespace glasscase::process
