#include "range.h"

#include <gtest/gtest.h>

namespace glasscase::http {
namespace {

using Kind = ByteRange::Kind;

ByteRange Part(uint64_t begin, uint64_t end) { return {.kind = Kind::kPart, .begin = begin, .end = end}; }

// The examples of RFC 9110 section 14.1.2, for 10,000 bytes.
TEST(RangeTest, TheExamplesOfTheRfc) {
  EXPECT_EQ(ParseRange("bytes=0-499", 10'000), Part(0, 500));
  EXPECT_EQ(ParseRange("bytes=500-999", 10'000), Part(500, 1000));
  EXPECT_EQ(ParseRange("bytes=-500", 10'000), Part(9500, 10'000));
  EXPECT_EQ(ParseRange("bytes=9500-", 10'000), Part(9500, 10'000));
}

TEST(RangeTest, PartsEndWithTheFile) {
  EXPECT_EQ(ParseRange("bytes=5-99", 10), Part(5, 10));
  EXPECT_EQ(ParseRange("bytes=-99", 10), Part(0, 10));
  EXPECT_EQ(ParseRange("bytes=9-9", 10), Part(9, 10));
  EXPECT_EQ(ParseRange("Bytes= 0-99999999999999999999", 10), Part(0, 10));
}

TEST(RangeTest, WhatLiesBehindTheEndCannotBeGiven) {
  for (const char* text : {"bytes=10-", "bytes=10-11", "bytes=99999999999999999999-", "bytes=-0"})
    EXPECT_EQ(ParseRange(text, 10).kind, Kind::kUnsatisfiable) << text;
  EXPECT_EQ(ParseRange("bytes=0-", 0).kind, Kind::kUnsatisfiable);
  EXPECT_EQ(ParseRange("bytes=-5", 0).kind, Kind::kUnsatisfiable);
}

TEST(RangeTest, WhatIsNotUnderstoodIsTheWhole) {
  for (const char* text :
       {"", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=1-b", "bytes=a-1", "bytes=5-4", "items=0-1",
        "bytes=0-1,3-4", "bytes=--1", "bytes=+1-2", "bytes=1--2"})
    EXPECT_EQ(ParseRange(text, 10).kind, Kind::kWhole) << text;
}

TEST(RangeTest, EntityTagsAreComparedWeakly) {
  EXPECT_TRUE(MatchesEntityTag("\"a\"", "\"a\""));
  EXPECT_TRUE(MatchesEntityTag("\"b\", W/\"a\"", "\"a\""));
  EXPECT_TRUE(MatchesEntityTag("*", "\"a\""));
  EXPECT_FALSE(MatchesEntityTag("", "\"a\""));
  EXPECT_FALSE(MatchesEntityTag("a", "\"a\""));
  EXPECT_FALSE(MatchesEntityTag("\"aa\"", "\"a\""));
}

}  // namespace
}  // namespace glasscase::http
