#include <glasscase/translation/document.h>

#include <array>
#include <bit>
#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace glasscase::translation {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::string JsonError(std::string_view text) {
  const auto value = ParseJson(text, {});
  return value ? "accepted" : value.error().message();
}
std::string UbjError(std::string_view bytes) {
  const auto value = ParseUbj(AsBytes(bytes), {});
  return value ? "accepted" : value.error().message();
}
const Numbers& ListIn(const Value& value, std::string_view name) {
  return std::get<Numbers>(value.Find(name)->data);
}

TEST(DocumentTest, NumbersAreTheNearestDouble) {
  const auto value = ParseJson(R"({"a":[0.1,-0,1e999,-1e999,1e-999,9007199254740993]})", {});
  ASSERT_TRUE(value);
  EXPECT_THAT(ListIn(*value, "a"), ElementsAre(0.1, 0, INFINITY, -INFINITY, 0, 9007199254740992.0));
}

TEST(DocumentTest, NumbersAreTheNearestFloatWhereAskedFor) {
  // Nearer to the float above; by way of a double, which rounds it to the middle, it would be the one below.
  const auto value = ParseJson("[1.00000005960464480001]", {.numbers_are_float32 = true});
  ASSERT_TRUE(value);
  EXPECT_EQ(std::get<Numbers>(value->data).front(), static_cast<double>(std::nextafter(1.0F, 2.0F)));
}

TEST(DocumentTest, UnwantedMembersAreCheckedAndForgotten) {
  constexpr std::array<std::string_view, 1> kUnwanted = {"skip"};
  const DocumentOptions options{.unwanted = kUnwanted};
  const auto value = ParseJson(R"({"skip":{"a":[1,{"b":2}]},"keep":[3]})", options);
  ASSERT_TRUE(value);
  EXPECT_EQ(value->Find("skip"), nullptr);
  EXPECT_THAT(ListIn(*value, "keep"), ElementsAre(3));
  EXPECT_FALSE(ParseJson(R"({"skip":[1,]})", options));
}

TEST(DocumentTest, RefusesWhatIsAmbiguousOrTooMuch) {
  EXPECT_THAT(JsonError(R"({"a":1,"a":2})"), HasSubstr("\"a\" appears twice"));
  EXPECT_THAT(JsonError(std::string(40, '[') + std::string(40, ']')), HasSubstr("nested deeper than 32"));
  EXPECT_THAT(JsonError(R"([1,"a"])"), HasSubstr("mixes numbers"));
  EXPECT_THAT(JsonError(R"(["a",1])"), HasSubstr("mixes numbers"));
  EXPECT_THAT(JsonError("{} {}"), HasSubstr("more text after the value, at byte 3"));
  EXPECT_THAT(JsonError("[1,2"), HasSubstr("cut off"));
  EXPECT_THAT(JsonError("[NaN]"), HasSubstr("not JSON"));
  EXPECT_THAT(JsonError(R"({"a":[{"thresholds":[1,NaN]}]})"),
              HasSubstr("\"thresholds\" holds NaN: no threshold"));
  EXPECT_THAT(JsonError(R"({"a":[1],"base":NaN})"), HasSubstr("\"base\" holds NaN"));
  EXPECT_THAT(JsonError("Not"), Not(HasSubstr("NaN")));
}

TEST(DocumentTest, UbjHasTheSameValues) {
  using namespace std::string_literals;
  // {"a":[$d#U2 0.5 -1],"s":"hi","t":true,"n":[i1 I-2],"c":[#U1 Z]}
  const std::string bytes = "{U\1a[$d#U\2\x3F\0\0\0\xBF\x80\0\0U\1sSU\2hiU\1tTU\1n[i\1I\xFF\xFE]U\1c[#U\1Z}"s;
  const auto value = ParseUbj(AsBytes(bytes), {});
  ASSERT_TRUE(value) << value.error().message();
  EXPECT_THAT(ListIn(*value, "a"), ElementsAre(0.5, -1));
  EXPECT_THAT(ListIn(*value, "n"), ElementsAre(1, -2));
  EXPECT_EQ(std::get<std::string>(value->Find("s")->data), "hi");
  EXPECT_TRUE(std::get<bool>(value->Find("t")->data));
}

TEST(DocumentTest, ATypedArrayTakesNoMoreThanItsNumbers) {
  const std::string bytes = "[$U#I\x4E\x20" + std::string(20'000, '\1');
  const auto value = ParseUbj(AsBytes(bytes), {});
  ASSERT_TRUE(value) << value.error().message();
  const auto& numbers = std::get<Numbers>(value->data);
  EXPECT_EQ(numbers.size(), 20'000U);
  EXPECT_EQ(numbers.capacity(), 20'000U);
}

TEST(DocumentTest, UbjCountsAnnounceNoMoreThanThereIs) {
  using namespace std::string_literals;
  EXPECT_THAT(UbjError("[$d#L\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF"s),
              HasSubstr("more is announced than follows"));
  EXPECT_THAT(UbjError("[#l\x7F\xFF\xFF\xFFZ"s), HasSubstr("more is announced than follows"));
  EXPECT_THAT(UbjError("[$Z#l\x7F\xFF\xFF\xFF"s), HasSubstr("one type that is no number"));
  EXPECT_THAT(UbjError("SL\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"s), HasSubstr("negative"));
  EXPECT_THAT(UbjError("{U\1a"s), HasSubstr("cut off"));
  EXPECT_THAT(UbjError("{U\1aZU\1aZ}"s), HasSubstr("appears twice"));
  EXPECT_THAT(UbjError(std::string(100, '[')), HasSubstr("nested deeper"));
  EXPECT_THAT(UbjError("ZZ"s), HasSubstr("more bytes after the value"));
  EXPECT_THAT(UbjError("?"s), HasSubstr("unknown marker"));
}

}  // namespace
}  // namespace glasscase::translation
