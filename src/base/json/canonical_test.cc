#include <glasscase/json/canonical.h>

#include <bit>
#include <fstream>
#include <limits>
#include <random>
#include <string>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <gtest/gtest.h>

#include <glasscase/core/bytes.h>

namespace glasscase::json {
namespace {

std::string Canonical(std::string_view text) {
  auto value = Parse(text);
  if (!value) return "not JSON: " + value.error().message();
  auto written = WriteCanonical(*value);
  return written ? *written : "refused: " + written.error().message();
}

// RFC 8785, section 3.2.2, with its result in 3.2.3 and, in bytes, in 3.2.4.
TEST(CanonicalJsonTest, SampleOfTheRfc) {
  const std::string text = Canonical(R"({
    "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
    "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
    "literals": [null, true, false]
  })");
  EXPECT_EQ(
      ToHex(AsBytes(text)),
      "7b226c69746572616c73223a5b6e756c6c2c747275652c66616c73655d2c226e756d62657273223a5b333333333333333333"
      "2e333333333333332c31652b33302c342e352c302e3030322c31652d32375d2c22737472696e67223a22e282ac245c753030"
      "30665c6e4127425c225c5c5c5c5c222f227d");
  EXPECT_TRUE(CheckCanonical(text));
}

// RFC 8785, section 3.2.3: a smiling face (a pair of surrogates) stands before U+FB33.
TEST(CanonicalJsonTest, KeysAreSortedByTheirUtf16Units) {
  EXPECT_EQ(
      Canonical(R"({"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh",
                          "1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control",
                          "\u00f6":"Latin Small Letter O With Diaeresis"})"),
      "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\xc2\x80\":\"Control\","
      "\"\xc3\xb6\":\"Latin Small Letter O With Diaeresis\",\"\xe2\x82\xac\":\"Euro Sign\","
      "\"\xf0\x9f\x98\x80\":\"Emoji: Grinning Face\",\"\xef\xac\xb3\":\"Hebrew Letter Dalet With Dagesh\"}");
}

TEST(CanonicalJsonTest, AKeyStandsBeforeTheKeysThatItBegins) {
  EXPECT_TRUE(KeyComesBefore("a", "aa"));
  EXPECT_FALSE(KeyComesBefore("aa", "a"));
  EXPECT_FALSE(KeyComesBefore("a", "a"));
  EXPECT_TRUE(KeyComesBefore("", "a"));
  EXPECT_EQ(Canonical(R"({"10":0,"1":0,"":0,"A":0,"a":0})"), R"({"":0,"1":0,"10":0,"A":0,"a":0})");
}

// RFC 8785, appendix B: the bits of a double and its text.
TEST(CanonicalJsonTest, NumbersOfTheRfc) {
  const std::pair<uint64_t, const char*> vectors[] = {
      {0x0000000000000000, "0"},
      {0x8000000000000000, "0"},
      {0x0000000000000001, "5e-324"},
      {0x8000000000000001, "-5e-324"},
      {0x7fefffffffffffff, "1.7976931348623157e+308"},
      {0xffefffffffffffff, "-1.7976931348623157e+308"},
      {0x4340000000000000, "9007199254740992"},
      {0xc340000000000000, "-9007199254740992"},
      {0x4430000000000000, "295147905179352830000"},
      {0x44b52d02c7e14af5, "9.999999999999997e+22"},
      {0x44b52d02c7e14af6, "1e+23"},
      {0x44b52d02c7e14af7, "1.0000000000000001e+23"},
      {0x444b1ae4d6e2ef4e, "999999999999999700000"},
      {0x444b1ae4d6e2ef4f, "999999999999999900000"},
      {0x444b1ae4d6e2ef50, "1e+21"},
      {0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"},
      {0x3eb0c6f7a0b5ed8d, "0.000001"},
      {0x41b3de4355555553, "333333333.3333332"},
      {0x41b3de4355555554, "333333333.33333325"},
      {0x41b3de4355555555, "333333333.3333333"},
      {0x41b3de4355555556, "333333333.3333334"},
      {0x41b3de4355555557, "333333333.33333343"},
      {0xbecbf647612f3696, "-0.0000033333333333333333"},
      {0x43143ff3c1cb0959, "1424953923781206.2"},
  };
  for (const auto& [bits, text] : vectors) EXPECT_EQ(CanonicalNumber(std::bit_cast<double>(bits)), text);
}

// Written by an ECMAScript engine: tests/vectors/json/make_numbers.mjs.
TEST(CanonicalJsonTest, NumbersAsAnEcmaScriptEngineWritesThem) {
  std::ifstream file(GLASSCASE_SOURCE_DIR "/tests/vectors/json/numbers.txt");
  std::string bits;
  std::string text;
  int count = 0;
  while (file >> bits >> text) {
    ++count;
    EXPECT_EQ(CanonicalNumber(std::bit_cast<double>(std::stoull(bits, nullptr, 16))), text) << bits;
    EXPECT_TRUE(CheckCanonical(text)) << text;
  }
  EXPECT_GE(count, 2000);
}

TEST(CanonicalJsonTest, NumbersWithoutAnExactTextAreRefused) {
  EXPECT_FALSE(WriteCanonical(std::numeric_limits<double>::infinity()));
  EXPECT_FALSE(WriteCanonical(std::numeric_limits<double>::quiet_NaN()));
  EXPECT_FALSE(WriteCanonical(int64_t{9007199254740993}));
  EXPECT_FALSE(WriteCanonical(std::numeric_limits<int64_t>::max()));
  EXPECT_FALSE(WriteCanonical(std::numeric_limits<uint64_t>::max()));
  EXPECT_EQ(*WriteCanonical(int64_t{-9007199254740991}), "-9007199254740991");
  EXPECT_FALSE(
      WriteCanonical(std::numeric_limits<int64_t>::min()));  // a double, but its text has other digits
  EXPECT_EQ(*WriteCanonical(int64_t{1430691247689625000}), "1430691247689625000");
}

TEST(CanonicalJsonTest, EveryControlCharacterHasItsOneEscape) {
  EXPECT_EQ(*WriteCanonical(boost::json::string("\b\t\n\f\r\"\\/\x7f")), "\"\\b\\t\\n\\f\\r\\\"\\\\/\x7f\"");
  EXPECT_EQ(*WriteCanonical(boost::json::string(std::string("\0\x01\x0b\x1f", 4))),
            R"("\u0000\u0001\u000b\u001f")");
}

TEST(CanonicalJsonTest, StringsThatAreNotUtf8AreRefused) {
  EXPECT_FALSE(WriteCanonical(boost::json::string("\xff")));
  EXPECT_FALSE(WriteCanonical(boost::json::object{{"\xed\xa0\x80", 1}}));
}

TEST(CanonicalJsonTest, OtherTextsOfTheSameValueAreNotCanonical) {
  for (const char* text : {"{\"b\":1,\"a\":2}", "{\"a\": 1}", "[1 ]", " 1", "1\n", "1.0", "1e0", "-0",
                           "1E+30", "10e-1", "\"\\u0041\"", "\"\\/\"", "\"\\u000F\"", "9007199254740993",
                           "18446744073709551615", "1e21", "0.0000001", "[\"\\u000a\"]"})
    EXPECT_FALSE(CheckCanonical(text)) << text;
  EXPECT_EQ(CheckCanonical(R"({"a":1, "b":2})").error().message(),
            "not canonical JSON (RFC 8785): differs from its canonical text at byte 7");
}

TEST(CanonicalJsonTest, EmptyThingsAreCanonical) {
  for (const char* text : {"{}", "[]", "\"\"", "0", "null", "[[],{}]"})
    EXPECT_TRUE(CheckCanonical(text)) << text;
}

TEST(CanonicalJsonTest, EveryDoubleIsReadBackFromItsText) {
  std::mt19937_64 random(8785);
  for (int i = 0; i < 20000; ++i) {
    const auto value = std::bit_cast<double>(random());
    if (value != value || value - value != 0) continue;  // not finite
    const std::string text = CanonicalNumber(value);
    EXPECT_TRUE(CheckCanonical(text)) << text;
    EXPECT_EQ(Parse(text)->to_number<double>(), value) << text;
  }
}

}  // namespace
}  // namespace glasscase::json
