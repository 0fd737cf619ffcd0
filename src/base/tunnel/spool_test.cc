#include <glasscase/tunnel/spool.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

namespace glasscase::tunnel {
namespace {

namespace fs = std::filesystem;

class SpoolTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(::mkdtemp(parent_.data()), nullptr); }
  void TearDown() override { fs::remove_all(parent_); }
  size_t Folders() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(parent_), fs::directory_iterator()));
  }
  std::string parent_ = "/var/tmp/spool_test_XXXXXX";
};

TEST_F(SpoolTest, FilesHaveNoNameAndAreNobodyElses) {
  const auto spool = Spool::Make(parent_, ::geteuid());
  ASSERT_TRUE(spool);
  const auto one = spool->MakeFile();
  const auto other = spool->MakeFile();
  ASSERT_TRUE(one && other);
  struct stat facts {};
  ASSERT_EQ(::fstat(one->get(), &facts), 0);
  EXPECT_EQ(facts.st_nlink, 0U);
  EXPECT_EQ(facts.st_mode & 0777U, 0600U);
  EXPECT_EQ(::write(one->get(), "abc", 3), 3);
  ASSERT_EQ(::fstat(other->get(), &facts), 0);
  EXPECT_EQ(facts.st_size, 0);
}

TEST_F(SpoolTest, AFolderOfOneThatEndedIsRemovedAndOneInUseStays) {
  {
    const auto ended = Spool::Make(parent_, ::geteuid());
    ASSERT_TRUE(ended);
  }
  EXPECT_EQ(Folders(), 1U);
  const auto in_use = Spool::Make(parent_, ::geteuid());
  ASSERT_TRUE(in_use);
  EXPECT_EQ(Folders(), 1U);
  const auto second = Spool::Make(parent_, ::geteuid());
  ASSERT_TRUE(second);
  EXPECT_EQ(Folders(), 2U);
  second->Remove();
  EXPECT_EQ(Folders(), 1U);
}

TEST_F(SpoolTest, MoreThanTheDiskHasIsRefusedWithTheNumbers) {
  const auto spool = Spool::Make(parent_, ::geteuid());
  ASSERT_TRUE(spool);
  EXPECT_TRUE(spool->CheckRoom(1));
  const Status refused = spool->CheckRoom(uint64_t{1} << 60);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kResourceExhausted);
  EXPECT_THAT(refused.error().message(), testing::HasSubstr("free="));
}

TEST_F(SpoolTest, WithoutAParentThereIsNone) { EXPECT_FALSE(Spool::Make(parent_ + "/none", ::geteuid())); }

}  // namespace
}  // namespace glasscase::tunnel
