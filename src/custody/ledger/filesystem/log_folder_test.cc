#include <glasscase/ledger_filesystem/log_folder.h>

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include <glasscase/core/ids.h>
#include <gtest/gtest.h>

namespace glasscase::ledger {
namespace {

namespace fs = std::filesystem;

class LogFolderTest : public ::testing::Test {
 protected:
  LogFolderTest() {
    fs::create_directories(folder_);
    files_ = OpenLogFolder(Fd(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC))).value();
  }
  ~LogFolderTest() override { fs::remove_all(folder_); }

  fs::path folder_ = fs::temp_directory_path() / ("gc-log-" + Uuid::Random().ToString());
  std::unique_ptr<LogFiles> files_;
};

TEST_F(LogFolderTest, FilesLieWhereTheirPathSays) {
  ASSERT_TRUE(files_->Write("checkpoint", "first"));
  ASSERT_TRUE(files_->Write("checkpoint", "second"));
  ASSERT_TRUE(files_->Write("tile/0/x001/x234/067.p/7", "seven"));
  ASSERT_TRUE(files_->Sync({"tile/0/x001/x234/067.p/7", "checkpoint"}));
  ASSERT_TRUE(files_->SyncAll());
  EXPECT_FALSE(files_->Sync({"tile/0/000"})) << "what is not there cannot be made durable";
  EXPECT_EQ(files_->Read("checkpoint").value(), "second");
  EXPECT_EQ(files_->Read("tile/0/x001/x234/067.p/7").value(), "seven");
  EXPECT_EQ(files_->Read("tile/0/x001/x234/067").value(), std::nullopt);
  EXPECT_EQ(fs::file_size(folder_ / "tile/0/x001/x234/067.p/7"), 5u);
  for (const auto& entry : fs::recursive_directory_iterator(folder_))
    EXPECT_FALSE(entry.path().filename().string().starts_with(".")) << entry.path();
}

TEST_F(LogFolderTest, AFullTileReplacesThePartialOnes) {
  for (const char* width : {"1", "9", "255"})
    ASSERT_TRUE(files_->Write(std::string("tile/0/000.p/") + width, "x"));
  ASSERT_TRUE(files_->Write("tile/0/000", "full"));
  ASSERT_TRUE(files_->RemovePartials({.level = 0, .index = 0}));
  ASSERT_TRUE(files_->RemovePartials({.level = 0, .index = 1})) << "where there are none";
  ASSERT_TRUE(files_->Sync({"tile/0/000"}));
  EXPECT_FALSE(fs::exists(folder_ / "tile/0/000.p"));
  EXPECT_EQ(files_->Read("tile/0/000").value(), "full");
}

TEST_F(LogFolderTest, WhatIsNoFileOfALogIsAnError) {
  fs::create_directory(folder_ / "tile");
  EXPECT_FALSE(files_->Read("tile"));
  fs::create_symlink("/etc/passwd", folder_ / "checkpoint");
  EXPECT_FALSE(files_->Read("checkpoint"));
  std::ofstream(folder_ / "big") << "x";
  fs::resize_file(folder_ / "big", uint64_t{1} << 30);
  EXPECT_EQ(files_->Read("big").error().code(), Code::kDataLoss);
}

TEST_F(LogFolderTest, AFolderThatCannotBeWrittenIsAnError) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
  ::chmod(folder_.c_str(), 0500);
  EXPECT_FALSE(files_->Write("checkpoint", "x"));
  ::chmod(folder_.c_str(), 0700);
}

}  // namespace
}  // namespace glasscase::ledger
