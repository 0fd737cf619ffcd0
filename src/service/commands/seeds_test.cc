#include "seeds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace glasscase::commands {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(SeedsTest, RangesAndSingleOnes) {
  EXPECT_THAT(ParseSeeds("7").value(), ElementsAre(7));
  EXPECT_THAT(ParseSeeds("1..3,9,4294967295").value(), ElementsAre(1, 2, 3, 9, 4'294'967'295));
  EXPECT_THAT(ParseSeeds("4294967294..4294967295").value(), ElementsAre(4'294'967'294, 4'294'967'295));
  EXPECT_EQ(ParseSeeds("1..1000").value().size(), kSeedsMax);
}

TEST(SeedsTest, WhatIsNoSeedIsSaid) {
  for (const char* text : {"", "a", "1,", ",1", "1..", "..2", "1...3", "-1", "4294967296", "1 2", "0x1"})
    EXPECT_THAT(ParseSeeds(text).error().message(), HasSubstr("--seeds: \"")) << text;
  EXPECT_THAT(ParseSeeds("3..1").error().message(), HasSubstr("ends before it begins"));
  for (const char* text : {"1..1001", "1..1000,5", "0..4294967295"})
    EXPECT_THAT(ParseSeeds(text).error().message(), HasSubstr("at most 1000")) << text;
}

}  // namespace
}  // namespace glasscase::commands
