#include "profile.h"

#include <sys/stat.h>

#include <fstream>

#include <gtest/gtest.h>

namespace glasscase::commands {
namespace {

namespace fs = std::filesystem;

class ProfileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "glasscase-profile-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }

  static Profile Ada() {
    Profile profile;
    profile.url = "http://127.0.0.1:8000";
    profile.token = Secret("gct_x");
    return profile;
  }

  fs::path folder_;
};

TEST_F(ProfileTest, WhatIsSavedIsLoaded) {
  const ProfileStore store(folder_ / "glasscase");
  Profile profile = Ada();
  profile.control_url = "http://127.0.0.1:8010";
  profile.pin = "sha256//x";
  profile.data = "/data";
  ASSERT_TRUE(store.Save("default", profile).has_value());
  const auto loaded = store.Load("default").value();
  ASSERT_TRUE(loaded.has_value());
  EXPECT_EQ(loaded->url, profile.url);
  EXPECT_EQ(loaded->control_url, profile.control_url);
  EXPECT_EQ(loaded->token.Reveal(RevealToken()), "gct_x");
  EXPECT_EQ(loaded->pin, profile.pin);
  EXPECT_EQ(loaded->data, profile.data);
}

TEST_F(ProfileTest, OnlyItsUserMayReadIt) {
  const ProfileStore store(folder_);
  ASSERT_TRUE(store.Save("default", Ada()).has_value());
  struct stat file {};
  ASSERT_EQ(stat(store.PathOf("default").c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777U, 0600U);
  fs::permissions(store.PathOf("default"), fs::perms::others_read, fs::perm_options::add);
  EXPECT_EQ(store.Load("default").error().code(), Code::kFailedPrecondition);
}

TEST_F(ProfileTest, AMissingOneIsNoError) {
  EXPECT_FALSE(ProfileStore(folder_).Load("default").value().has_value());
}

TEST_F(ProfileTest, ADamagedOneIsNamed) {
  const ProfileStore store(folder_);
  std::ofstream(store.PathOf("default")) << "{";
  fs::permissions(store.PathOf("default"), fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_NE(store.Load("default").error().message().find("default.json"), std::string::npos);
}

TEST_F(ProfileTest, SettingAsideLosesNothing) {
  const ProfileStore store(folder_);
  ASSERT_TRUE(store.Save("default", Ada()).has_value());
  EXPECT_EQ(store.SetAside("default").value(), "default-1");
  EXPECT_FALSE(store.Load("default").value().has_value());
  EXPECT_TRUE(store.Load("default-1").value().has_value());
  ASSERT_TRUE(store.Save("default", Ada()).has_value());
  EXPECT_EQ(store.SetAside("default").value(), "default-2");
}

TEST_F(ProfileTest, NamesCannotLeaveTheFolder) {
  for (const char* name : {"", "..", "a/b", "-x", ".x"})
    EXPECT_FALSE(CheckProfileName(name).has_value()) << name;
  EXPECT_TRUE(CheckProfileName("course-2026.b").has_value());
}

TEST_F(ProfileTest, TheFolderFollowsTheXdgRules) {
  EXPECT_EQ(ProfileFolder({{"HOME", "/home/ada"}}), "/home/ada/.config/glasscase");
  EXPECT_EQ(ProfileFolder({{"HOME", "/home/ada"}, {"XDG_CONFIG_HOME", "/c"}}), "/c/glasscase");
  EXPECT_EQ(ProfileFolder({{"HOME", "/home/ada"}, {"XDG_CONFIG_HOME", "relative"}}),
            "/home/ada/.config/glasscase");
}

}  // namespace
}  // namespace glasscase::commands
