#include "serve_settings.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include <CLI/Formatter.hpp>
#include <gtest/gtest.h>

namespace glasscase::commands {
namespace {

namespace fs = std::filesystem;

class ServeSettingsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "glasscase-settings-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    DeclareServeOptions(command_, settings_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  Status Read(const std::string& text) {
    std::ofstream(folder_ / "glasscase.conf") << text;
    return ReadSettingsFile(command_, folder_ / "glasscase.conf");
  }

  fs::path folder_;
  CLI::App command_;
  ServeSettings settings_;
};

TEST_F(ServeSettingsTest, TheFileSaysWhatFlagsSay) {
  ASSERT_TRUE(Read("# a comment\nhttp = 127.0.0.1:9000\nbehind-proxy = true\n").has_value());
  EXPECT_EQ(settings_.http, "127.0.0.1:9000");
  EXPECT_EQ(settings_.control, "127.0.0.1:8010");
  EXPECT_TRUE(settings_.behind_proxy);
}

TEST_F(ServeSettingsTest, FlagsWin) {
  command_.parse(std::vector<std::string>{"127.0.0.1:9001", "--http"});
  ASSERT_TRUE(Read("http = 127.0.0.1:9000\ncontrol = \"127.0.0.1:9010\"\n").has_value());
  EXPECT_EQ(settings_.http, "127.0.0.1:9001");
  EXPECT_EQ(settings_.control, "127.0.0.1:9010");
}

TEST_F(ServeSettingsTest, PathsCountFromTheFile) {
  ASSERT_TRUE(Read("tls-cert = tls/cert.pem\ntls-key = /etc/key.pem\n").has_value());
  EXPECT_EQ(settings_.tls_cert, (folder_ / "tls/cert.pem").string());
  EXPECT_EQ(settings_.tls_key, "/etc/key.pem");
}

TEST_F(ServeSettingsTest, AnUnknownKeyIsNamedWithTheNearest) {
  const auto read = Read("contrl = 127.0.0.1:9000\n");
  ASSERT_FALSE(read.has_value());
  EXPECT_NE(read.error().message().find("contrl; did you mean control?"), std::string::npos)
      << read.error().message();
  EXPECT_FALSE(Read("[serve]\nhttp = 127.0.0.1:1\n").has_value());
  EXPECT_FALSE(Read("config = other.conf\n").has_value());
  EXPECT_FALSE(Read("behind-proxy = perhaps\n").has_value());
}

TEST_F(ServeSettingsTest, LeavingTheMachineNeedsTlsOrAProxy) {
  settings_.http = "0.0.0.0:8000";
  EXPECT_EQ(CheckServeSettings(settings_).error().code(), Code::kInvalidArgument);
  settings_.behind_proxy = true;
  EXPECT_TRUE(CheckServeSettings(settings_).has_value());
  settings_.behind_proxy = false;
  settings_.tls_cert = "c";
  EXPECT_FALSE(CheckServeSettings(settings_).has_value());
  settings_.tls_key = "k";
  EXPECT_TRUE(CheckServeSettings(settings_).has_value());
}

TEST_F(ServeSettingsTest, TheSupervisorGetsTheSameWords) {
  settings_.data = "/d";
  EXPECT_EQ(SupervisorArguments(settings_, 9),
            (std::vector<std::string>{"--data", "/d", "--http", "127.0.0.1:8000", "--control",
                                      "127.0.0.1:8010", "--ready-fd", "9"}));
}

TEST_F(ServeSettingsTest, AClusterOfKubernetesNeedsItsParts) {
  settings_.executor = "kubernetes";
  const auto said = [&] { return CheckServeSettings(settings_).error().message(); };
  EXPECT_NE(said().find("--registries"), std::string::npos);
  settings_.registries = {"registry.example"};
  settings_.jobs = "/shared/jobs";
  EXPECT_NE(said().find("--kubernetes-claim"), std::string::npos);
  settings_.cluster.claim = "files/jobs";
  EXPECT_TRUE(CheckServeSettings(settings_));
  settings_.cluster.url = "https://cluster.example:6443";
  EXPECT_NE(said().find("--kubernetes-token"), std::string::npos);
  settings_.cluster.certificate = "/x/cert";
  EXPECT_NE(said().find("belong together"), std::string::npos);
  settings_.cluster.key = "/x/key";
  EXPECT_TRUE(CheckServeSettings(settings_));
  settings_.cluster.token = "/x/token";
  EXPECT_NE(said().find("give one"), std::string::npos);
  settings_.executor = "bubblewrap";
  EXPECT_NE(said().find("--executor kubernetes"), std::string::npos);
}

TEST_F(ServeSettingsTest, FilesOfTheClusterCountFromTheFileAndReachWorkers) {
  ASSERT_TRUE(Read("kubernetes-token = token\nkubernetes-pull-secrets = \"a,b\"\nkubernetes-gpus = 2\n"));
  EXPECT_EQ(ClusterArguments(settings_.cluster),
            (std::vector<std::string>{"--kubernetes-token=" + (folder_ / "token").string(),
                                      "--kubernetes-pull-secret=a", "--kubernetes-pull-secret=b",
                                      "--kubernetes-gpus=2"}));
}

TEST_F(ServeSettingsTest, TheRunsOfOneOwnerReachTheCustodian) {
  ASSERT_TRUE(Read("runs-per-owner = 3\n"));
  const auto words = SupervisorArguments(settings_, 3);
  EXPECT_EQ(std::count(words.begin(), words.end(), "--custodian-arg=--runs-per-owner=3"), 1);
}

TEST_F(ServeSettingsTest, WhatARunMayAskForReachesWorkers) {
  ASSERT_TRUE(Read("run-memory = 64G\nrun-disk = 1T\nrun-time = 7d\nrun-cpus = 32\nrun-slots = 2\n"));
  EXPECT_EQ(RunLimitArguments(settings_.run_limits),
            (std::vector<std::string>{"--slots=2", "--cpus=32", "--memory=68719476736",
                                      "--disk=1099511627776", "--wall-s=604800"}));
}

}  // namespace
}  // namespace glasscase::commands
