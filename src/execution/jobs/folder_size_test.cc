#include <glasscase/jobs/folder_size.h>

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include <glasscase/core/ids.h>
#include <gtest/gtest.h>

namespace glasscase::jobs {
namespace {

namespace fs = std::filesystem;

class FolderSizeTest : public ::testing::Test {
 protected:
  FolderSizeTest() { fs::create_directories(folder_); }
  ~FolderSizeTest() override { fs::remove_all(folder_); }
  const fs::path folder_ = fs::temp_directory_path() / ("gc-size-" + Uuid::Random().ToString());
};

TEST_F(FolderSizeTest, CountsWhatIsBelowAndFollowsNoLink) {
  fs::create_directories(folder_ / "a" / "b");
  std::ofstream(folder_ / "a" / "b" / "file") << std::string(10'000, 'x');
  fs::create_directory_symlink("/usr", folder_ / "usr");
  fs::permissions(folder_ / "a" / "b", fs::perms(0300));
  const auto size = MeasureFolder(folder_, 1'000).value();
  EXPECT_EQ(size.files, 4u);
  EXPECT_GE(size.bytes, 10'000u);
  EXPECT_LT(size.bytes, 100'000u);
}

TEST_F(FolderSizeTest, SaysWhichInodesHaveANameInIt) {
  std::ofstream(folder_ / "file") << "x";
  struct stat facts {};
  ASSERT_EQ(::stat((folder_ / "file").c_str(), &facts), 0);
  EXPECT_EQ(MeasureFolder(folder_, 10, {facts.st_ino, facts.st_ino + 1})->named,
            std::set<uint64_t>{facts.st_ino});
}

TEST_F(FolderSizeTest, StopsWhereThereAreTooMany) {
  for (int i = 0; i < 50; ++i) std::ofstream(folder_ / std::to_string(i)) << "x";
  EXPECT_EQ(MeasureFolder(folder_, 10)->files, 11u);
  fs::path deep = folder_ / "deep";
  for (int i = 0; i < 100; ++i) deep /= "d";
  fs::create_directories(deep);
  EXPECT_GT(MeasureFolder(folder_, 1'000)->files, 1'000u);
}

TEST_F(FolderSizeTest, AFolderThatIsNotThereIsAnError) {
  EXPECT_EQ(MeasureFolder(folder_ / "none", 10).error().code(), Code::kNotFound);
}

}  // namespace
}  // namespace glasscase::jobs
