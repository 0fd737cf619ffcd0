#include <glasscase/working/machine.h>

#include <filesystem>
#include <fstream>

#include <boost/json.hpp>

#include <glasscase/core/ids.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace glasscase::working {
namespace {

namespace bj = boost::json;
namespace fs = std::filesystem;
using ::testing::HasSubstr;

// A machine and its runners in a folder.
class MachineTest : public ::testing::Test {
 protected:
  MachineTest() {
    fs::create_directories(folder_ / "usr/bin");
    fs::create_symlink("python3.11", folder_ / "usr/bin/python3");
    Write("proc/cpuinfo", "processor\t: 0\nmodel name\t: A fast one: 2 GHz\nflags\t\t: fpu avx2\n");
    Write("var/lib/dpkg/status",
          "Package: libc6\nArchitecture: amd64\nVersion: 2.36-9+deb12u14\nDepends: libgcc-s1\n\n"
          "Package: other\nVersion: 7\n\n"
          "Package: python3.11-minimal\nVersion: 3.11.2-6+deb12u6\n\n"
          "Package: libgomp1\nVersion: 12.2.0-14+deb12u1\n");
  }
  ~MachineTest() override { fs::remove_all(folder_); }

  void Write(const std::string& path, const std::string& text) {
    fs::create_directories((folder_ / path).parent_path());
    std::ofstream(folder_ / path) << text;
  }
  Status Check(const std::string& lock) {
    Write("runners/numbers/requirements.txt", lock);
    return CheckSystem(folder_ / "runners/numbers", folder_);
  }

  const fs::path folder_ = fs::temp_directory_path() / ("gc-machine-" + Uuid::Random().ToString());
};

TEST_F(MachineTest, WhatDecidesNumbersIsDescribed) {
  const bj::object machine = DescribeMachine(folder_);
  EXPECT_EQ(machine.at("processor"), "A fast one: 2 GHz");
  EXPECT_EQ(machine.at("instruction_sets"), (bj::array{"fpu", "avx2"}));
  EXPECT_EQ(machine.at("system"), (bj::object{{"glibc", "2.36-9+deb12u14"},
                                              {"libgomp", "12.2.0-14+deb12u1"},
                                              {"python", "3.11.2-6+deb12u6"}}));
}

TEST_F(MachineTest, WithoutDebiansListTheCLibraryIsKnown) {
  fs::remove(folder_ / "var/lib/dpkg/status");
  const bj::object machine = DescribeMachine(folder_);
  EXPECT_THAT(std::string(machine.at("system").at("glibc").as_string()), HasSubstr("2."));
}

TEST_F(MachineTest, TheLibrariesOfARunnerAreReadFromWhatItSays) {
  for (const char* name :
       {"numpy-2.4.6", "scikit_learn-1.9.1", "packaging-26.3", "torch-2.15.0", "nvidia_cudnn_cu13-9.26.0.51"})
    fs::create_directories(folder_ / "runner/lib/python3.11/site-packages" /
                           (std::string(name) + ".dist-info"));
  fs::create_directories(folder_ / "runner/lib/python3.11/site-packages/scipy");
  Write("runner/requirements.txt",
        "numpy==2.4.6\n# libopenblas0-pthread 0.3.21+ds-4 amd64 abc\n# libuv1 1.44 amd64 abc\n# python "
        "3.11.2\n");
  EXPECT_EQ(DescribeLibraries(folder_ / "runner"), (bj::object{{"libopenblas0-pthread", "0.3.21+ds-4"},
                                                               {"numpy", "2.4.6"},
                                                               {"nvidia_cudnn_cu13", "9.26.0.51"},
                                                               {"scikit_learn", "1.9.1"},
                                                               {"torch", "2.15.0"}}));
  EXPECT_TRUE(DescribeLibraries(folder_ / "nowhere").empty());
}

TEST_F(MachineTest, ADriverSaysWhichDevicesThereAre) {
  EXPECT_EQ(DescribeDevices({"/dev/dri"}, folder_), (bj::object{{"files", {"/dev/dri"}}}));
  Write(
      "proc/driver/nvidia/version",
      "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 2023\nGCC version:  gcc 12\n");
  Write("proc/driver/nvidia/gpus/0000:00:05.0/information",
        "Model: \t\t NVIDIA H100 80GB HBM3\nIRQ:   \t\t 24\n");
  const bj::object devices = DescribeDevices({"/dev/nvidia0", "/dev/nvidiactl"}, folder_);
  EXPECT_EQ(devices.at("gpus"), (bj::array{"NVIDIA H100 80GB HBM3"}));
  EXPECT_THAT(std::string(devices.at("driver").as_string()), HasSubstr("535.104.05"));
}

TEST_F(MachineTest, ARunnerOfAnotherPythonIsNotWhatItsLockSays) {
  EXPECT_TRUE(Check("numpy==2.4.6\n# python 3.11.2\n# glibc 2.36\n# libgomp 12.2.0\n# machine any\n"));
  EXPECT_TRUE(Check("numpy==2.4.6\n")) << "made before lock files said so";
  const Status other = Check("# python 3.12.1\n");
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code(), Code::kFailedPrecondition);
  EXPECT_THAT(other.error().message(),
              HasSubstr("numbers was made with python 3.12.1, this machine has 3.11.2"));
  EXPECT_FALSE(Check("# libgomp 13.2.0\n"));
}

}  // namespace
}  // namespace glasscase::working
