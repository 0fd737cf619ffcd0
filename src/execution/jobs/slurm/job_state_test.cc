#include "job_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace glasscase::jobs {
namespace {

using ::testing::HasSubstr;

TEST(JobState, AFieldIsFoundByItsWholeName) {
  const std::string line = "JobId=7 JobName=x State=no JobState=NODE_FAIL Reason=None\n";
  EXPECT_EQ(FieldOf(line, "JobState"), "NODE_FAIL");
  EXPECT_EQ(FieldOf(line, "JobId"), "7");
  EXPECT_EQ(FieldOf(line, "State"), "no");
  EXPECT_EQ(FieldOf(line, "Reason"), "None");
  EXPECT_EQ(FieldOf(line, "Nothing"), "");
}

TEST(JobState, WhatTheJobTookIsItsOwnFaultAndWhatWasTakenFromItIsOurs) {
  for (const auto& [state, ending] :
       {std::pair("TIMEOUT", Ending::kTimedOut), std::pair("OUT_OF_MEMORY", Ending::kOverMemory),
        std::pair("NODE_FAIL", Ending::kNotStarted), std::pair("BOOT_FAIL", Ending::kNotStarted),
        std::pair("PREEMPTED", Ending::kNotStarted), std::pair("CANCELLED", Ending::kNotStarted),
        std::pair("FAILED", Ending::kNotStarted), std::pair("COMPLETED", Ending::kNotStarted)}) {
    const JobEnd end = EndByState(state, "17", false);
    EXPECT_EQ(end.ending, ending) << state;
    EXPECT_THAT(end.reason, HasSubstr("17"));
    EXPECT_THAT(end.reason, HasSubstr(state));
    EXPECT_EQ(EndByState(state, "17", true).ending, Ending::kCancelled) << state;
  }
  EXPECT_THAT(EndByState("", "17", false).reason, HasSubstr("does not know"));
}

TEST(JobState, AJobThatSlurmHasNotDoneWithIsUnderWay) {
  EXPECT_TRUE(IsUnderWay("PENDING"));
  EXPECT_TRUE(IsUnderWay("COMPLETING"));
  EXPECT_FALSE(IsUnderWay("COMPLETED"));
  EXPECT_FALSE(IsUnderWay(""));
}

}  // namespace
}  // namespace glasscase::jobs
