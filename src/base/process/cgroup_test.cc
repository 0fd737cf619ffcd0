#include <glasscase/process/cgroup.h>

#include <unistd.h>

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
