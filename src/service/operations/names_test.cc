#include "names.h"

#include <string>

#include <gtest/gtest.h>

namespace glasscase::operations {
namespace {

TEST(NamesTest, NamesFollowTheRuleAndErrorsSayIt) {
  for (const char* name : {"ada", "a", "0x", "iris.v2_final-3", "versions"})
    EXPECT_TRUE(CheckSubjectName(name)) << name;
  for (const char* name : {"", "Ada", "-a", ".a", "a b", "a/b", "a@b", "\xc3\xa9t\xc3\xa9", "a\n",
                           "f47ac10b-58cc-4372-a567-0e02b2c3d479"})
    EXPECT_FALSE(CheckSubjectName(name)) << name;
  EXPECT_TRUE(CheckSubjectName(std::string(63, 'a')));
  EXPECT_FALSE(CheckSubjectName(std::string(64, 'a')));
  EXPECT_NE(CheckSubjectName("Ada").error().message().find("a-z 0-9"), std::string::npos);
}

TEST(NamesTest, WordsOfRoutesAreNoModels) {
  for (const char* name : {"versions", "infer", "ready", "config", "stats"})
    EXPECT_FALSE(CheckModelName(name)) << name;
  EXPECT_TRUE(CheckModelName("infer2"));
}

TEST(NamesTest, LabelsMayHaveUpperCase) {
  for (const char* label : {"1", "V2", "2024-Spring"}) EXPECT_TRUE(CheckVersionLabel(label)) << label;
  for (const char* label : {"", "-1", "a b", "1/2", "1@2"}) EXPECT_FALSE(CheckVersionLabel(label)) << label;
}

TEST(NamesTest, DurationsAreANumberAndAUnit) {
  EXPECT_EQ(ParseDuration("").value(), 0);
  EXPECT_EQ(ParseDuration("45s").value(), 45'000'000);
  EXPECT_EQ(ParseDuration("90m").value(), 5'400'000'000);
  EXPECT_EQ(ParseDuration("45min").value(), 2'700'000'000);  // as the command line has it
  EXPECT_EQ(ParseDuration("12h").value(), 43'200'000'000);
  EXPECT_EQ(ParseDuration("30d").value(), 2'592'000'000'000);
  EXPECT_EQ(ParseDuration("2w").value(), 1'209'600'000'000);
  EXPECT_TRUE(ParseDuration("3650d"));
  for (const char* text :
       {"0d", "-1d", "d", "30", "30 d", "30D", "1y", "3654d", "99999999999999999999d", "9999999999w"})
    EXPECT_FALSE(ParseDuration(text)) << text;
}

}  // namespace
}  // namespace glasscase::operations
