#include <glasscase/core/bytes.h>

#include <gtest/gtest.h>

#include <glasscase/core/secret.h>

namespace glasscase {
namespace {

TEST(BytesTest, HexRoundTripsAndRefusesOddOrForeignCharacters) {
  EXPECT_EQ(ToHex(AsBytes("\x01\xfe")), "01fe");
  EXPECT_EQ(AsText(*FromHex("4A6f")), "Jo");
  EXPECT_FALSE(FromHex("abc"));
  EXPECT_FALSE(FromHex("zz"));
  EXPECT_FALSE(DigestFromHex("00"));
}

// RFC 4648, section 10.
TEST(BytesTest, Base64MatchesThePublishedVectors) {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, encoded] : vectors) {
    EXPECT_EQ(ToBase64(AsBytes(plain)), encoded);
    EXPECT_EQ(AsText(*FromBase64(encoded)), plain);
  }
}

TEST(BytesTest, Base64RefusesWhatHasTwoSpellings) {
  EXPECT_FALSE(FromBase64("Zh=="));  // stray bits
  EXPECT_FALSE(FromBase64("Zg="));   // short
  EXPECT_FALSE(FromBase64("Z=g="));  // padding inside
  EXPECT_FALSE(FromBase64("===="));
}

TEST(BytesTest, PrintableEscapesWhatATerminalWouldObey) {
  EXPECT_EQ(Printable("a\x1b[2J\n\"\\"), "a\\x1b[2J\\x0a\\x22\\x5c");
  EXPECT_EQ(Printable("aaaa", 2), "aa...");
}

TEST(BytesTest, Utf8RefusesOverlongSurrogatesAndTruncation) {
  EXPECT_TRUE(IsUtf8("gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80"));
  EXPECT_FALSE(IsUtf8("\xc0\xaf"));
  EXPECT_FALSE(IsUtf8("\xed\xa0\x80"));
  EXPECT_FALSE(IsUtf8("\xe2\x82"));
  EXPECT_FALSE(IsUtf8("\xf4\x90\x80\x80"));
}

TEST(BytesTest, ConstantTimeComparisonAgreesWithEquality) {
  EXPECT_TRUE(EqualInConstantTime(AsBytes("same"), AsBytes("same")));
  EXPECT_FALSE(EqualInConstantTime(AsBytes("same"), AsBytes("sama")));
  EXPECT_FALSE(EqualInConstantTime(AsBytes("same"), AsBytes("sam")));
}

}  // namespace
}  // namespace glasscase
