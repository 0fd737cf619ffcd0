#include "model_folder.h"

#include <sys/stat.h>

#include <cstdlib>
#include <fstream>

#include <gtest/gtest.h>

namespace glasscase::commands {
namespace {

namespace fs = std::filesystem;

class ModelFolderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "glasscase-folder-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }

  void Write(const fs::path& name, const std::string& text) {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << text;
  }
  std::string Refusal() {
    const auto files = FindModelFiles(folder_);
    return files ? std::string("accepted") : files.error().message();
  }

  fs::path folder_;
};

TEST_F(ModelFolderTest, AFileIsPublishedUnderItsName) {
  Write("digits.onnx", "abc");
  auto files = FindModelFiles(folder_ / "digits.onnx").value();
  ASSERT_EQ(files.size(), 1U);
  EXPECT_EQ(files[0].name, "digits.onnx");
  ASSERT_TRUE(HashFiles(files, [](uint64_t) { return true; }).has_value());
  EXPECT_EQ(files[0].sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_F(ModelFolderTest, AFolderIsPublishedWithItsPathsButNotWhatIsHidden) {
  Write("model.onnx", "a");
  Write("weights/w.bin", "bb");
  Write(".git/config", "x");
  const auto files = FindModelFiles(folder_).value();
  ASSERT_EQ(files.size(), 2U);
  EXPECT_EQ(files[1].name, "weights/w.bin");
  EXPECT_EQ(files[1].bytes, 2U);
}

TEST_F(ModelFolderTest, LinksInsideTheFolderAreFollowed) {
  Write("model.onnx", "a");
  Write("weights/w.bin", "bb");
  fs::create_symlink("weights/w.bin", folder_ / "w.bin");
  EXPECT_EQ(FindModelFiles(folder_).value().size(), 3U);
}

TEST_F(ModelFolderTest, LinksThatLeaveTheFolderAreRefused) {
  Write("model.onnx", "a");
  fs::create_symlink("/etc/passwd", folder_ / "w.bin");
  EXPECT_NE(Refusal().find("leaves the folder"), std::string::npos) << Refusal();
  fs::remove(folder_ / "w.bin");
  fs::create_directory_symlink("/etc", folder_ / "weights");
  EXPECT_NE(Refusal().find("leaves the folder"), std::string::npos) << Refusal();
}

TEST_F(ModelFolderTest, OnlyRegularFilesArePublished) {
  Write("model.onnx", "a");
  ASSERT_EQ(mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  EXPECT_NE(Refusal().find("not a regular file"), std::string::npos) << Refusal();
}

TEST_F(ModelFolderTest, DevicesAreNoFiles) {
  EXPECT_NE(FindFiles("/dev/zero").error().message().find("neither a file nor a folder"), std::string::npos);
  Write("model.onnx", "a");
  fs::create_symlink("/dev/zero", folder_ / "w.bin");
  EXPECT_NE(Refusal().find("leaves the folder"), std::string::npos) << Refusal();
}

TEST_F(ModelFolderTest, NamesThatAreNotUtf8AreRefused) {
  Write("model.onnx", "a");
  Write("w\xff.bin", "a");
  EXPECT_NE(Refusal().find("not UTF-8"), std::string::npos) << Refusal();
}

TEST_F(ModelFolderTest, ExactlyOneModelIsExpected) {
  for (const char* words : {"ends in .onnx", "glasscase translate FILE", "with --kept"})
    EXPECT_NE(Refusal().find(words), std::string::npos) << words;
  Write("a.onnx", "a");
  Write("b.onnx", "b");
  EXPECT_NE(Refusal().find("a.onnx, b.onnx"), std::string::npos) << Refusal();
}

TEST_F(ModelFolderTest, InterruptionEndsHashing) {
  Write("a.onnx", "a");
  auto files = FindModelFiles(folder_).value();
  EXPECT_EQ(HashFiles(files, [](uint64_t) { return false; }).error().code(), Code::kCancelled);
}

}  // namespace
}  // namespace glasscase::commands
