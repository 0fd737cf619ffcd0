#include <glasscase/jobs_bubblewrap/bubblewrap.h>

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include <glasscase/jobs/testing/executor_contract.h>

namespace glasscase::jobs::testing {
namespace {

// The kernel holds root to no number of processes, so as root jobs get a user of their own.
ExecutorCase Case() {
  std::optional<uid_t> user;
  if (::geteuid() == 0) user = 60'677;
  return {.make = [user] { return MakeBubblewrap({.user = user, .leases = OwnLeases()}); }, .user = user};
}

INSTANTIATE_TEST_SUITE_P(Bubblewrap, ExecutorContract, ::testing::Values(Case()));

TEST(Bubblewrap, AProgramThatIsMissingIsUnavailable) {
  const auto executor = MakeBubblewrap({.program = "/usr/bin/no-such-bwrap"});
  EXPECT_EQ(executor->Check().error().code(), Code::kUnavailable);
}

// Of this machine, and not among those that every job has.
std::string SomeDevice() {
  for (const char* device : {"/dev/kmsg", "/dev/fuse", "/dev/loop-control", "/dev/rtc0", "/dev/mem"})
    if (::access(device, F_OK) == 0) return device;
  ADD_FAILURE() << "this machine has none of the devices that the test knows";
  return {};
}

JobEnd RunWith(const std::vector<std::string>& devices, const std::string& program) {
  std::string folder = ::testing::TempDir() + "devices-XXXXXX";
  EXPECT_NE(::mkdtemp(folder.data()), nullptr);
  for (const char* below : {"/in", "/out"}) std::filesystem::create_directory(folder + below);
  ::chmod(folder.c_str(), 0755);
  const auto executor = MakeBubblewrap({.user = Case().user, .devices = devices});
  EXPECT_TRUE(executor->Check());
  Recorder recorder;
  const JobEnd end = executor->Run({.folder = folder, .command = {"/bin/sh", "-c", program}}, recorder);
  std::filesystem::remove_all(folder);
  return end;
}

TEST(Bubblewrap, AFileOfADriverIsPassedOnToBeRead) {
  std::string path = ::testing::TempDir() + "driver-XXXXXX";
  const Fd file(::mkstemp(path.data()));
  ASSERT_TRUE(file.valid());
  ASSERT_EQ(::fchmod(file.get(), 0666), 0);
  const JobEnd end = RunWith({path}, "test -r " + path + " && ! (echo changed >> " + path + ")");
  EXPECT_EQ(end.ending, Ending::kSucceeded) << end.reason;
  EXPECT_EQ(::lseek(file.get(), 0, SEEK_END), 0);
  ::unlink(path.c_str());
}

TEST(Bubblewrap, DevicesInAFolderThatIsPassedOnCanBeOpened) {
  const Terminal terminal(Case().user);
  const JobEnd end =
      RunWith({"/dev/pts"}, "exec 3<>" + terminal.path() + " && echo opened >&3 && ! (echo x >/dev/pts/x)");
  EXPECT_EQ(end.ending, Ending::kSucceeded) << end.reason;
  EXPECT_THAT(terminal.Read(), ::testing::StartsWith("opened"));
}

TEST(Bubblewrap, ADeviceIsPassedOnAndOneThatIsNotThereIsSaid) {
  const std::string device = SomeDevice();
  const JobEnd end = RunWith({device}, "test -c " + device);
  EXPECT_EQ(end.ending, Ending::kSucceeded) << end.reason;
  EXPECT_THAT(end.in_force, ::testing::Contains("device passed on: " + device));
  EXPECT_EQ(RunWith({}, "test -c " + device).ending, Ending::kFailed);
  EXPECT_THAT(MakeBubblewrap({.devices = {"/dev/nvidia99"}})->Check().error().message(),
              ::testing::HasSubstr("/dev/nvidia99 is not there"));
}

}  // namespace
}  // namespace glasscase::jobs::testing
