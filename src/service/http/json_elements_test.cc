#include "json_elements.h"

#include <cmath>
#include <cstring>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace glasscase::http {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

template <typename T>
Result<std::vector<T>> Parse(std::string_view json, DataType type, std::vector<int64_t> shape) {
  std::vector<T> values(*ElementCount(shape));
  const std::string padded = std::string(json) + std::string(64, ' ');
  const Status parsed =
      ParseElements(std::string_view(padded).substr(0, json.size()), type, shape,
                    {reinterpret_cast<uint8_t*>(values.data()), values.size() * sizeof(T)}, "inputs[0].data");
  if (!parsed) return Fail(parsed.error());
  return values;
}

template <typename T>
std::string Why(const Result<T>& result) {
  return result ? "no error" : result.error().message();
}

TEST(ParseElementsTest, FlatAndNestedArraysGiveTheSameElements) {
  EXPECT_THAT(*Parse<float>("[1, 2.5,-3e2,4]", DataType::kFp32, {2, 2}), ElementsAre(1.F, 2.5F, -300.F, 4.F));
  EXPECT_THAT(*Parse<float>("[[1,2.5],\n[-3e2,4]]", DataType::kFp32, {2, 2}),
              ElementsAre(1.F, 2.5F, -300.F, 4.F));
  EXPECT_TRUE(Parse<float>("[]", DataType::kFp32, {0}));
  EXPECT_TRUE(Parse<float>("[[],[]]", DataType::kFp32, {2, 0}));
}

TEST(ParseElementsTest, NestingMustBeFlatOrTheShape) {
  for (const char* bad :
       {"[[1,2],[3]]", "[[1,2,3,4]]", "[[1],[2],[3],[4]]", "[1,[2,3],4]", "[[[1,2],[3,4]]]", "[[1,2],3,4]",
        "[[1,2][3,4]]", "[[1,2],[3,4],]", "[,1,2,3,4]", "[1 2 3 4]", "[1,2,3,4,]"}) {
    EXPECT_FALSE(Parse<float>(bad, DataType::kFp32, {2, 2})) << bad;
  }
}

TEST(ParseElementsTest, CountsThatDisagreeNameBoth) {
  EXPECT_THAT(Why(Parse<float>("[1,2,3]", DataType::kFp32, {2, 2})),
              HasSubstr("3 values, but the shape [2,2] has 4"));
  EXPECT_THAT(Why(Parse<float>("[1,2,3,4,5]", DataType::kFp32, {2, 2})), HasSubstr("more values"));
}

TEST(ParseElementsTest, NumbersFollowTheJsonGrammar) {
  for (const char* bad : {"[01]", "[.5]", "[5.]", "[+1]", "[1e]", "[0x10]", "[-]", "[NaN]", "[Infinity]",
                          "[null]", "[\"1\"]", "[true]", "[1_000]", "[--1]"}) {
    EXPECT_FALSE(Parse<double>(bad, DataType::kFp64, {1})) << bad;
  }
  EXPECT_THAT(Why(Parse<float>("[1,NaN]", DataType::kFp32, {2})),
              HasSubstr("inputs[0].data[1]: NaN is not a JSON number"));
}

TEST(ParseElementsTest, IntegersOutOfRangeAndFractionsAreRefused) {
  EXPECT_THAT(Why(Parse<uint8_t>("[256]", DataType::kUint8, {1})),
              HasSubstr("256 is out of range for UINT8"));
  EXPECT_FALSE(Parse<uint8_t>("[-1]", DataType::kUint8, {1}));
  EXPECT_FALSE(Parse<int64_t>("[9223372036854775808]", DataType::kInt64, {1}));
  EXPECT_THAT(Why(Parse<int32_t>("[1.5]", DataType::kInt32, {1})), HasSubstr("not an integer"));
  EXPECT_THAT(*Parse<int64_t>("[-9223372036854775808]", DataType::kInt64, {1}), ElementsAre(INT64_MIN));
  EXPECT_THAT(*Parse<uint64_t>("[18446744073709551615]", DataType::kUint64, {1}), ElementsAre(UINT64_MAX));
}

TEST(ParseElementsTest, FloatsBeyondTheLargestAreRefusedAndTinyOnesRoundToZero) {
  EXPECT_FALSE(Parse<float>("[1e39]", DataType::kFp32, {1}));
  EXPECT_FALSE(Parse<double>("[1e999]", DataType::kFp64, {1}));
  EXPECT_THAT(*Parse<float>("[1e-999]", DataType::kFp32, {1}), ElementsAre(0.F));
}

TEST(ParseElementsTest, BooleansAreTrueFalseOneOrZero) {
  EXPECT_THAT(*Parse<uint8_t>("[true,false,1,0]", DataType::kBool, {4}), ElementsAre(1, 0, 1, 0));
  EXPECT_FALSE(Parse<uint8_t>("[2]", DataType::kBool, {1}));
  EXPECT_FALSE(Parse<uint8_t>("[\"true\"]", DataType::kBool, {1}));
  EXPECT_FALSE(Parse<uint8_t>("[1.0]", DataType::kBool, {1}));
}

TEST(ParseElementsTest, HalfFloatsHaveNoJsonForm) {
  EXPECT_THAT(Why(Parse<uint16_t>("[1]", DataType::kFp16, {1})), HasSubstr("FP16 has no JSON form"));
}

// Every float must read as strtof reads it, also where the digits pass through a double.
TEST(ParseElementsTest, FloatsRoundToNearestLikeTheLibrary) {
  std::mt19937_64 random(20261120);
  char text[64];
  for (int i = 0; i < 200'000; ++i) {
    const uint64_t bits = random();
    double value = 0;
    std::memcpy(&value, &bits, sizeof value);
    const int form = i % 4;
    if (form == 0) value = static_cast<double>(random() % 100'000) / 1000;
    if (form == 1)
      value = std::ldexp(static_cast<double>(random() >> 11), static_cast<int>(random() % 60) - 90);
    if (form == 2)
      value = std::ldexp(static_cast<double>((random() >> 39) * 2 + 1), static_cast<int>(random() % 20) - 30);
    if (!std::isfinite(value) || std::fabs(value) > 1e38) continue;
    std::snprintf(text, sizeof text, form == 2 ? "[%.17g]" : form == 3 ? "[%.9g]" : "[%.16g]", value);
    const Result<std::vector<float>> single = Parse<float>(text, DataType::kFp32, {1});
    const Result<std::vector<double>> whole = Parse<double>(text, DataType::kFp64, {1});
    ASSERT_TRUE(single && whole) << text;
    ASSERT_EQ((*single)[0], std::strtof(text + 1, nullptr)) << text;
    ASSERT_EQ((*whole)[0], std::strtod(text + 1, nullptr)) << text;
  }
}

Result<Bytes> ParseStrings(std::string json, std::vector<int64_t> shape) {
  Bytes out;
  const size_t size = json.size();
  json.append(64, ' ');
  const Status parsed = ParseStringElements(std::string_view(json).substr(0, size), shape, out, "data");
  if (!parsed) return Fail(parsed.error());
  return out;
}

TEST(ParseStringElementsTest, EscapesBecomeUtf8) {
  const Result<Bytes> bytes = ParseStrings(R"(["a\n\"", "\u00fc\ud83d\ude00", ""])", {3});
  ASSERT_TRUE(bytes) << Why(bytes);
  EXPECT_EQ(AsText(*bytes), std::string_view("\3\0\0\0a\n\"\6\0\0\0\xc3\xbc\xf0\x9f\x98\x80\0\0\0\0", 21));
}

TEST(ParseStringElementsTest, LoneSurrogatesAndBrokenEscapesAreRefused) {
  for (const char* bad : {R"(["\ud83d"])", R"(["\ude00"])", R"(["\x41"])", R"(["\u12g4"])", R"([1])",
                          R"(["a)", R"(["\u-123"])"}) {
    EXPECT_FALSE(ParseStrings(bad, {1})) << bad;
  }
}

template <typename T>
std::string Print(DataType type, std::vector<T> values) {
  std::string json;
  const Status printed = AppendElements(
      json, type, {reinterpret_cast<const uint8_t*>(values.data()), values.size() * sizeof(T)}, "out");
  return printed ? json : printed.error().message();
}

TEST(AppendElementsTest, PrintsTheShortestDigitsThatReadBack) {
  EXPECT_EQ(Print<float>(DataType::kFp32, {0.1F, -2.F, 1e20F}), "[0.1,-2,1e+20]");
  EXPECT_EQ(Print<int64_t>(DataType::kInt64, {-5, INT64_MAX}), "[-5,9223372036854775807]");
  EXPECT_EQ(Print<uint8_t>(DataType::kBool, {1, 0}), "[true,false]");
  EXPECT_EQ(Print<float>(DataType::kFp32, {}), "[]");
}

TEST(AppendElementsTest, WhatHasNoJsonFormIsSaidByPlace) {
  EXPECT_EQ(Print<float>(DataType::kFp32, {1.F, NAN}), "out[1]: NaN has no JSON form; ask for binary output");
  EXPECT_THAT(Print<uint16_t>(DataType::kBf16, {0}), HasSubstr("BF16 has no JSON form"));
}

}  // namespace
}  // namespace glasscase::http
