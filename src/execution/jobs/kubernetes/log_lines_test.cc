#include "log_lines.h"

#include <gtest/gtest.h>

namespace glasscase::jobs {
namespace {

const std::string kFirst = "2026-11-21T16:13:33.000000001Z ";
const std::string kSecond = "2026-11-21T16:13:33.000000002Z ";
const std::string kThird = "2026-11-21T16:13:34.5Z ";

// What comes through of these answers, each in pieces of `size` bytes.
std::string Read(const std::vector<std::string>& answers, size_t size = 1'000) {
  LogLines lines;
  std::string text;
  const auto pass = [&](std::string_view piece) { text += piece; };
  for (const std::string& answer : answers) {
    lines.Begin();
    for (size_t at = 0; at < answer.size(); at += size)
      lines.Take(std::string_view(answer).substr(at, size), pass);
    lines.End(pass);
  }
  return text;
}

TEST(LogLines, TimesAreTakenOff) {
  for (const size_t size : {1, 2, 7, 1'000})
    EXPECT_EQ(Read({kFirst + "a b\n" + kSecond + "\n" + kThird + "end"}, size), "a b\n\nend") << size;
}

TEST(LogLines, ALogGoesOnWhereItBrokeOff) {
  const std::string whole = kFirst + "one\n" + kFirst + "two\n" + kSecond + "three\n" + kThird + "four\n";
  for (size_t cut = 0; cut <= whole.size(); ++cut)
    EXPECT_EQ(Read({whole.substr(0, cut), whole}), "one\ntwo\nthree\nfour\n") << cut;
}

TEST(LogLines, LinesOfTheSameTimeAreCounted) {
  const std::string same = kFirst + "x\n";
  EXPECT_EQ(Read({same + same, same + same + same, same + same + same}), "x\nx\nx\n");
}

TEST(LogLines, WhatWasThrownAwayMeanwhileIsLeftOut) {
  EXPECT_EQ(Read({kFirst + "one\n", kThird + "four\n"}), "one\nfour\n");
}

TEST(LogLines, LinesWithoutATimeComeAsTheyAre) {
  EXPECT_EQ(Read({"no time\n\n" + kFirst + "one\n" + std::string(100, 'x')}),
            "no time\n\none\n" + std::string(100, 'x'));
}

TEST(LogLines, ItIsAskedForFromTheSecondOfTheLastLine) {
  LogLines lines;
  EXPECT_EQ(lines.since(), "");
  lines.Begin();
  lines.Take("2026-11-21T18:13:33.7+02:00 text\n", [](std::string_view) {});
  EXPECT_EQ(lines.since(), "2026-11-21T16:13:33Z");
}

TEST(LogLines, TimesAreOfTheirForm) {
  EXPECT_EQ(ParseLogTime("1970-01-01T00:00:01.000000005Z"), 1'000'000'005);
  EXPECT_EQ(ParseLogTime("2026-11-21T16:13:33Z"), ParseLogTime("2026-11-21T15:13:33.0-01:00"));
  EXPECT_LT(*ParseLogTime("2026-11-21T16:13:33.09Z"), *ParseLogTime("2026-11-21T16:13:33.1Z"));
  for (const char* text :
       {"", "2026", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-11-21T24:00:00Z",
        "2026-11-21T16:13:33", "2026-11-21T16:13:33.Z", "2026-11-21T16:13:33.0000000001Z",
        "2026-11-21T16:13:33Zx", "9999-01-01T00:00:00Z", "2026-11-21 16:13:33Z", "2026-11-21T16:13:33+2:00"})
    EXPECT_FALSE(ParseLogTime(text)) << text;
}

}  // namespace
}  // namespace glasscase::jobs
