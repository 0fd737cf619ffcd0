#include "resting.h"

#include <gtest/gtest.h>

namespace glasscase::operations {
namespace {

constexpr PeerId kOne{process::ProcessKind::kWorker, 0};
constexpr PeerId kOther{process::ProcessKind::kWorker, 1};

TEST(Resting, RestsGrowUntilAMinute) {
  EXPECT_EQ(Resting::RestMs(0), 0);
  EXPECT_EQ(Resting::RestMs(1), 1'000);
  EXPECT_EQ(Resting::RestMs(4), 8'000);
  EXPECT_EQ(Resting::RestMs(7), 60'000);
  EXPECT_EQ(Resting::RestMs(UINT32_MAX), 60'000);
}

TEST(Resting, OneThatFailsRestsAndTheOthersDoNot) {
  Resting resting;
  resting.NoteFault(kOne, 5'000, "its disk is full");
  EXPECT_TRUE(resting.Rests(kOne, 5'999));
  EXPECT_FALSE(resting.Rests(kOne, 6'000));
  EXPECT_FALSE(resting.Rests(kOther, 5'000));
  EXPECT_EQ(resting.NextMs(5'400), 600);
  EXPECT_EQ(resting.NextMs(6'000), 0);
  EXPECT_EQ(resting.TextOf(kOne, 5'400), "failed once and rests for 1 s: its disk is full");
  EXPECT_EQ(resting.TextOf(kOne, 9'000), "failed once: its disk is full");
  EXPECT_EQ(resting.TextOf(kOther, 5'400), "");
}

TEST(Resting, FaultsInARowMakeSuspectAndOneGoodEndClears) {
  Resting resting;
  for (uint32_t i = 0; i < Resting::kSuspectFrom; ++i) {
    EXPECT_FALSE(resting.IsSuspect(kOne));
    resting.NoteFault(kOne, 0, "it died");
  }
  EXPECT_TRUE(resting.IsSuspect(kOne));
  resting.NoteGood(kOne);
  EXPECT_FALSE(resting.IsSuspect(kOne));
  EXPECT_FALSE(resting.Rests(kOne, 0));
}

}  // namespace
}  // namespace glasscase::operations
