#include "job_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace glasscase::jobs {
namespace {

TEST(JobFile, AJobComesThroughWhole) {
  const Job job{.folder = "/shared/job",
                .mounts = {{.from = "/runners/a", .to = "/runner"}},
                .command = {"python", "-c", "print('\"ü\n')"},
                .environment = {{"SEED", "1"}},
                .umask = 027,
                .limits = {.cpus = 3,
                           .processes = 4,
                           .memory_bytes = uint64_t{1} << 40,
                           .disk_bytes = 6,
                           .temporary_bytes = 7,
                           .files = 8,
                           .log_bytes = 9,
                           .wall_ms = 10,
                           .grace_ms = 11}};
  const std::string text = WriteJob({.job = job, .patience_ms = 12});
  const auto read = ReadJob(text);
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(WriteJob(*read), text);
  EXPECT_EQ(read->job.limits.memory_bytes, uint64_t{1} << 40);
  EXPECT_EQ(read->job.limits.grace_ms, 11);
  EXPECT_EQ(read->job.mounts[0].to, "/runner");
  EXPECT_EQ(read->job.umask, 027u);
}

TEST(JobFile, AnEndComesThroughWhole) {
  const JobEnd end{
      .ending = Ending::kOverDisk,
      .exit_code = 3,
      .signal = 9,
      .reason = "it wrote \"too\" much",
      .usage = {.wall_ms = 1, .cpu_ms = 2, .memory_peak_bytes = 3, .disk_bytes = 4, .log_bytes = 5},
      .machine = "{}",
      .in_force = {"a", "b"},
      .missing = {"c"}};
  const auto read = ReadEnd(WriteEnd(end));
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(WriteEnd(*read), WriteEnd(end));
  EXPECT_EQ(read->usage.memory_peak_bytes, 3u);
}

TEST(JobFile, WhatIsCutOffIsNoEnd) {
  const std::string text = WriteEnd({.ending = Ending::kSucceeded, .reason = ""});
  for (size_t size = 0; size < text.size(); ++size) EXPECT_FALSE(ReadEnd(text.substr(0, size))) << size;
  EXPECT_FALSE(ReadEnd(
      R"({"ending":99,"exit_code":0,"signal":0,"reason":"","machine":"","in_force":[],"missing":[]})"));
}

}  // namespace
}  // namespace glasscase::jobs
