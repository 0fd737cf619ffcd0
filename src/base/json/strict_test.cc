#include <glasscase/json/strict.h>

#include <string>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <gtest/gtest.h>

namespace glasscase::json {
namespace {

std::string Repeat(std::string_view piece, size_t times) {
  std::string all;
  for (size_t i = 0; i < times; ++i) all += piece;
  return all;
}

TEST(StrictJsonTest, ReadsEveryKindOfValue) {
  const auto value = Parse(R"( {"a":[1,-2,2.5,"x",true,false,null,{}], "b":18446744073709551615} )");
  ASSERT_TRUE(value) << value.error().message();
  const auto& list = value->at("a").as_array();
  EXPECT_EQ(list[0].as_int64(), 1);
  EXPECT_EQ(list[1].as_int64(), -2);
  EXPECT_EQ(list[2].as_double(), 2.5);
  EXPECT_EQ(list[3].as_string(), "x");
  EXPECT_TRUE(list[4].as_bool());
  EXPECT_FALSE(list[5].as_bool());
  EXPECT_TRUE(list[6].is_null());
  EXPECT_TRUE(list[7].as_object().empty());
  EXPECT_EQ(value->at("b").as_uint64(), 18446744073709551615u);
}

TEST(StrictJsonTest, LonelyScalarsAreValues) {
  EXPECT_EQ(Parse("7")->as_int64(), 7);
  EXPECT_EQ(Parse("\"\"")->as_string(), "");
  EXPECT_TRUE(Parse("null")->is_null());
  EXPECT_EQ(Parse("-1.5e3")->as_double(), -1500.0);
}

TEST(StrictJsonTest, EscapesAndPairsOfSurrogatesAreRead) {
  EXPECT_EQ(Parse(R"({"\u0061\ud83d\ude02":"\n\u20ac"})")->at("a\xf0\x9f\x98\x82").as_string(),
            "\n\xe2\x82\xac");
}

TEST(StrictJsonTest, AKeyTwiceInOneObjectIsRefusedHoweverItIsSpelled) {
  EXPECT_EQ(Parse(R"({"a":1,"a":1})").error().message(),
            "not JSON as expected here: the key \"a\" appears twice, at byte 9");
  EXPECT_FALSE(Parse(R"({"a":1,"\u0061":2})"));
  EXPECT_FALSE(Parse(R"([{"x":{"":0,"":0}}])"));
  EXPECT_TRUE(Parse(R"({"a":{"a":1},"b":{"a":1}})"));
}

TEST(StrictJsonTest, WhatIsNotJsonIsRefused) {
  for (const char* text :
       {"",          " ",        "{",      "[1,]",      "{\"a\":1,}", "01",    "+1",
        "1.",        ".5",       "0x10",   "NaN",       "Infinity",   "'a'",   "[1] 2",
        "{\"a\" 1}", "// no\n1", "\"\t\"", "\"\\x41\"", "tru",        "{1:2}", "\xef\xbb\xbf{}",
        "nullnull"})
    EXPECT_FALSE(Parse(text)) << text;
}

TEST(StrictJsonTest, TextThatIsNotUtf8IsRefused) {
  EXPECT_FALSE(Parse("\"\xff\""));
  EXPECT_FALSE(Parse("\"\xc0\xaf\""));
  EXPECT_FALSE(Parse("\"\xed\xa0\x80\""));
  EXPECT_FALSE(Parse(R"("\ud800")"));
  EXPECT_FALSE(Parse(R"("\ude02\ud83d")"));
  EXPECT_FALSE(Parse(R"({"\ud800":1})"));
}

TEST(StrictJsonTest, NumbersAreTheNearestDouble) {
  // Each differs by one bit when digits are summed and scaled instead.
  EXPECT_EQ(Parse("8.41e21")->as_double(), 8.41e21);
  EXPECT_EQ(Parse("9007199254740993.0")->as_double(), 9007199254740992.0);
  EXPECT_EQ(Parse("2.2250738585072011e-308")->as_double(), 2.2250738585072011e-308);
  EXPECT_EQ(Parse("1.7976931348623157e308")->as_double(), 1.7976931348623157e308);
  EXPECT_EQ(Parse("0.1234567890123456789012345678901234567890")->as_double(), 0.12345678901234568);
}

TEST(StrictJsonTest, NumbersBeyondADoubleAreRefused) {
  EXPECT_FALSE(Parse("1e400"));
  EXPECT_FALSE(Parse("-1e400"));
  EXPECT_FALSE(Parse("1" + Repeat("0", 400)));
}

TEST(StrictJsonTest, LimitsHoldExactly) {
  const Limits limits{.bytes_max = 64, .depth_max = 3, .members_max = 2};
  EXPECT_TRUE(Parse("[[[1]]]", limits));
  EXPECT_EQ(Parse("[[[[1]]]]", limits).error().code(), Code::kResourceExhausted);
  EXPECT_TRUE(Parse(R"({"a":1,"b":2})", limits));
  EXPECT_EQ(Parse(R"({"a":1,"b":2,"c":3})", limits).error().code(), Code::kResourceExhausted);
  EXPECT_TRUE(Parse(std::string(63, ' ') + "1", limits));
  EXPECT_EQ(Parse(std::string(64, ' ') + "1", limits).error().code(), Code::kResourceExhausted);
}

TEST(StrictJsonTest, ADeepNestIsRefusedBeforeItCosts) {
  EXPECT_EQ(Parse(Repeat("[", 100000)).error().code(), Code::kResourceExhausted);
  EXPECT_EQ(Parse(Repeat("{\"\":", 100000)).error().code(), Code::kResourceExhausted);
}

}  // namespace
}  // namespace glasscase::json
