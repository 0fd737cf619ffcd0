#include <glasscase/jobs/child.h>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <string>
#include <vector>

#include <glasscase/jobs/testing/printed_by.h>

namespace glasscase::jobs {
namespace {

using testing::PrintedBy;

Fd FileOf(const std::string& text) {
  Fd file(::memfd_create("test", MFD_CLOEXEC));
  EXPECT_EQ(::write(file.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  ::lseek(file.get(), 0, SEEK_SET);
  return file;
}

Launch Shell(const std::string& script) { return {.command = {"/bin/sh", "-c", script}}; }

TEST(ChildTest, ItHasItsDescriptorsAndNoOtherHoweverManyAreOpenHere) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit raised = before;
  raised.rlim_cur = std::min<rlim_t>(before.rlim_max, 4'096);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &raised), 0);
  const Fd other = FileOf("somebody else's\n");
  std::vector<Fd> open;
  for (int i = 0; i < 900; ++i) open.emplace_back(::fcntl(other.get(), F_DUPFD_CLOEXEC, 3));
  ASSERT_GT(open.back().get(), 900);
  const Fd first = FileOf("first\n"), second = FileOf("second\n");

  Launch launch = Shell("cat <&3; cat <&4; ls /proc/self/fd | tr '\\n' ' '");
  launch.descriptors = {{first.get(), 3}, {second.get(), 4}};
  const std::string said = PrintedBy(launch);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(said, "first\nsecond\n0 1 2 3 4 5 ") << "5 is the folder that ls reads";
}

// Their numbers here may be those that others have there.
TEST(ChildTest, DescriptorsMayTradeTheirNumbers) {
  const Fd first = FileOf("first\n"), second = FileOf("second\n");
  Launch launch = Shell("cat <&3; cat <&4");
  launch.descriptors = {{first.get(), 4}, {second.get(), 3}};
  EXPECT_EQ(PrintedBy(launch), "second\nfirst\n");
}

TEST(ChildTest, WhatKeepsItFromStartingIsSaidThoughManyDescriptorsAreGiven) {
  const Fd file = FileOf("nothing");
  Launch launch{.command = {"/no/such/program"}};
  for (int number = 3; number < 100; ++number) launch.descriptors.emplace_back(file.get(), number);
  const auto child = StartChild(launch);
  ASSERT_FALSE(child);
  EXPECT_EQ(child.error().code(), Code::kNotFound) << child.error().message();
  EXPECT_EQ(::lseek(file.get(), 0, SEEK_END), 7) << "the trouble was written into a file of the job";
}

}  // namespace
}  // namespace glasscase::jobs
