#include <glasscase/comparison/compare.h>

#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "small_files_test.h"

namespace glasscase::comparison {
namespace {

using ::testing::HasSubstr;

Comparison Of(std::string_view original, std::string_view repeated) {
  return Compare(AsBytes(original), AsBytes(repeated), {.absolute = 1e-6, .relative = 1e-4});
}

TEST(CompareTest, EqualBytesAreTheSameWhateverTheyAre) {
  const Comparison found = Of("\x80\x04pickle", "\x80\x04pickle");
  EXPECT_EQ(found.found, Class::kSame);
  EXPECT_TRUE(found.same_bytes);
}

TEST(CompareTest, WhiteSpaceAndOrderDoNotCount) {
  const Comparison found = Of(R"({"a":[1,2],"b":"x"})", "{ \"b\": \"x\",\n \"a\": [1.0, 2] }");
  EXPECT_EQ(found.found, Class::kSame);
  EXPECT_FALSE(found.same_bytes);
  EXPECT_EQ(found.numbers, 2u);
}

TEST(CompareTest, TimesInArchivesDoNotCount) {
  EXPECT_EQ(Of(ZipFile({{"a", "1"}, {"b", "2"}}, 1), ZipFile({{"b", "2"}, {"a", "1"}}, 2)).found,
            Class::kSame);
  EXPECT_EQ(Of(ZipFile({{"a", "1"}}, 1), ZipFile({{"a", "3"}}, 1)).different, "a");
}

TEST(CompareTest, WhoWroteAModelDoesNotCount) {
  EXPECT_EQ(Of(OnnxFile({1, 2}, "one"), OnnxFile({1, 2}, "two")).found, Class::kSame);
  EXPECT_EQ(Of(SafetensorsFile({1, 2}, "x"), SafetensorsFile({1, 2}, "y")).found, Class::kSame);
}

TEST(CompareTest, ASmallDifferenceIsWithinTheTolerance) {
  const Comparison found = Of(R"({"a":[1000,1]})", R"({"a":[1000.01,1.0000005]})");
  EXPECT_EQ(found.found, Class::kWithin);
  EXPECT_NEAR(found.absolute_max, 0.01, 1e-9);
  EXPECT_NEAR(found.relative_max, 1e-5, 1e-9);
  EXPECT_EQ(found.different, "a[0]");
  EXPECT_EQ(found.repeated, "1000.01");
}

TEST(CompareTest, TheFirstBeyondTheToleranceIsNamed) {
  const Comparison found = Of(OnnxFile({1, 2, 3}, "m"), OnnxFile({1.00001F, 2.5F, 4}, "m"));
  EXPECT_EQ(found.found, Class::kNeither);
  EXPECT_EQ(found.different, "w[1]");
  EXPECT_EQ(found.original, "2");
  EXPECT_EQ(found.repeated, "2.5");
  EXPECT_DOUBLE_EQ(found.absolute_max, 1);
}

TEST(CompareTest, SameIsExact) {
  EXPECT_EQ(Of(NpyFile<double>("<f8", "(1,)", {0.0}), NpyFile<double>("<f8", "(1,)", {-0.0})).found,
            Class::kWithin);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(Of(NpyFile<double>("<f8", "(1,)", {nan}), NpyFile<double>("<f8", "(1,)", {0})).found,
            Class::kNeither);
  EXPECT_EQ(
      Of(NpyFile<double>("<f8", "(2,)", {nan, 1}), NpyFile<double>("<f8", "(2,)", {nan, 1.0000001})).found,
      Class::kWithin);
  EXPECT_EQ(Of(NpyFile<double>("<f8", "(1,)", {INFINITY}), NpyFile<double>("<f8", "(1,)", {-INFINITY})).found,
            Class::kNeither);
}

TEST(CompareTest, WordsShapesAndFormatsHaveNoTolerance) {
  EXPECT_EQ(Of(R"({"a":"x"})", R"({"a":"y"})").found, Class::kNeither);
  EXPECT_EQ(Of(R"({"a":[1]})", R"({"a":[1,2]})").repeated, "2 numbers");
  EXPECT_EQ(Of(R"({"a":1})", R"({"b":1})").different, "the names of the parts");
  EXPECT_EQ(Of(R"({"a":1})", R"({"a":1,"b":1})").different, "how many parts there are");
  EXPECT_EQ(Of(R"({"a":1})", SafetensorsFile({1})).different, "the format");
}

TEST(CompareTest, AFormatThatIsNotKnownIsComparedByItsBytes) {
  const Comparison found = Of("\x80\x04one", "\x80\x04two");
  EXPECT_EQ(found.found, Class::kNeither);
  EXPECT_EQ(found.different, "byte 2");
  EXPECT_THAT(found.original, HasSubstr("none whose numbers can be compared"));
}

}  // namespace
}  // namespace glasscase::comparison
