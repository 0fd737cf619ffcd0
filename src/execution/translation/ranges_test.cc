#include <glasscase/translation/ranges.h>

#include <cstring>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace glasscase::translation {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

MATCHER_P2(From, low, high, "") { return arg.low == low && arg.high == high; }

Ranges Read(const std::string& file, uint32_t features) {
  const auto ranges = ReadRanges(AsBytes(file), features);
  EXPECT_TRUE(ranges) << ranges.error().message();
  return ranges.value_or(Ranges{});
}
std::string Refusal(const std::string& file, uint32_t features) {
  const auto ranges = ReadRanges(AsBytes(file), features);
  EXPECT_FALSE(ranges);
  return ranges ? "" : ranges.error().message();
}

template <typename Number>
std::string Npy(const std::string& type, const std::string& shape, const std::vector<Number>& numbers,
                const std::string& by_columns = "False") {
  const std::string head =
      "{'descr': '" + type + "', 'fortran_order': " + by_columns + ", 'shape': " + shape + ", }\n";
  std::string data(numbers.size() * sizeof(Number), '\0');
  std::memcpy(data.data(), numbers.data(), data.size());
  return std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(head.size()) + '\0' + head + data;
}

TEST(RangesTest, ATableGivesTheRangeOfEachColumn) {
  EXPECT_THAT(Read("1,200000\n-3, 100000\n2,1.5e5\n", 2), ElementsAre(From(-3, 2), From(1e5F, 2e5F)));
  EXPECT_THAT(Read("a;b\n1;2\n3;4\n", 2), ElementsAre(From(1, 3), From(2, 4)));
  EXPECT_THAT(Read("\xEF\xBB\xBF\"a\"\t\"b \"\"x\"\"\"\r\n\"1\"\t2\r\n", 2),
              ElementsAre(From(1, 1), From(2, 2)));
}

TEST(RangesTest, TheTargetIsLeftOut) {
  EXPECT_THAT(Read("Target,a,b\n9,1,2\n", 2), ElementsAre(From(1, 1), From(2, 2)));
  EXPECT_THAT(Read("a,b,c\n1,2,9\n", 2), ElementsAre(From(1, 1), From(2, 2)));
  EXPECT_THAT(Read("setosa,1,2\nvirginica,3,4\n", 2), ElementsAre(From(1, 3), From(2, 4)));
  EXPECT_THAT(Read(Npy<float>("<f4", "(1, 3)", {1, 2, 9}), 2), ElementsAre(From(1, 1), From(2, 2)));
}

TEST(RangesTest, WhatIsMissingOrNotFiniteSaysNothing) {
  EXPECT_THAT(Read("1,\nnan,7\n1e400,inf\n", 2), ElementsAre(From(1, 1), From(7, 7)));
  EXPECT_FALSE(Read("1,\n2,\n", 2)[1].is_known());
}

TEST(RangesTest, ArraysOfEachTypeAndOrder) {
  EXPECT_THAT(Read(Npy<double>("<f8", "(2, 2)", {1, 2, 3, 4}), 2), ElementsAre(From(1, 3), From(2, 4)));
  EXPECT_THAT(Read(Npy<double>("<f8", "(2, 2)", {1, 2, 3, 4}, "True"), 2),
              ElementsAre(From(1, 2), From(3, 4)));
  EXPECT_THAT(Read(Npy<uint8_t>("|u1", "(1, 1, 2)", {0, 255}), 2), ElementsAre(From(0, 0), From(255, 255)));
  EXPECT_THAT(Read(Npy<uint16_t>("<f2", "(2, 1)", {0x3c00, 0xc000}), 1), ElementsAre(From(-2, 1)));
  EXPECT_THAT(Read(Npy<int64_t>("<i8", "(2, 1)", {-7, 9}), 1), ElementsAre(From(-7, 9)));
}

TEST(RangesTest, WhatDoesNotFitIsSaid) {
  EXPECT_THAT(Refusal("1\n", 2), HasSubstr("has 1 columns, and the model takes 2"));
  EXPECT_THAT(Refusal("1,2\n3\n", 2), HasSubstr("line 2 has 1 fields"));
  EXPECT_THAT(Refusal("a,b\nc,d\n", 2), HasSubstr("no numbers"));
  EXPECT_THAT(Refusal("", 2), HasSubstr("empty"));
  EXPECT_THAT(Refusal(Npy<float>("<f4", "(2, 2)", {1, 2, 3}), 2), HasSubstr("cut off"));
  EXPECT_THAT(Refusal(Npy<float>("<f4", "(4294967296, 4294967296)", {1}), 1), HasSubstr("cut off"));
  EXPECT_THAT(Refusal(Npy<float>(">f4", "(1, 2)", {1, 2}), 2), HasSubstr("little-endian"));
  EXPECT_THAT(Refusal(Npy<float>("<f4", "(2,)", {1, 2}), 2), HasSubstr("1 columns"));
  EXPECT_THAT(Refusal("PK\x03\x04 nothing", 2), HasSubstr("no directory"));
}

TEST(RangesTest, ALineIsReadNoFurtherThanTheModelIsWide) {
  const std::string wide(100'000, ',');
  EXPECT_THAT(Refusal(wide, 2), HasSubstr("has more than 3 columns, and the model takes 2"));
  EXPECT_THAT(Refusal("1,2,3,4\n", 2), HasSubstr("has more than 3 columns"));
  EXPECT_THAT(Refusal("1,2\n" + wide, 2), HasSubstr("line 2 has more than 3 fields, and the first 2"));
  EXPECT_THAT(Refusal("1,2,3\n" + wide, 2), HasSubstr("line 2 has more than 3 fields, and the first 3"));
}

}  // namespace
}  // namespace glasscase::translation
