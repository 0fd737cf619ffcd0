#include "tus_headers.h"

#include <gtest/gtest.h>

namespace glasscase::http {
namespace {

TEST(TusHeadersTest, NumbersAreDecimalAndNamed) {
  EXPECT_EQ(ParseUploadNumber("Upload-Offset", "0").value(), 0u);
  EXPECT_EQ(ParseUploadNumber("Upload-Offset", "9223372036854775807").value(), uint64_t{INT64_MAX});
  for (const char* text : {"", " 1", "1 ", "-1", "+1", "1.0", "0x1", "9223372036854775808", "1,1", "one"}) {
    const auto parsed = ParseUploadNumber("Upload-Offset", text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_NE(parsed.error().message().find("Upload-Offset"), std::string::npos);
  }
}

TEST(TusHeadersTest, ChecksumsHaveAKnownAlgorithmAndItsLength) {
  const auto sha1 = ParseUploadChecksum("sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=");  // the example of the protocol
  ASSERT_TRUE(sha1);
  EXPECT_EQ(sha1->algorithm, "sha1");
  EXPECT_EQ(ToHex(sha1->digest), "2aae6c35c94fcfb415dbe95f408b9ce91ee846ed");
  EXPECT_TRUE(ParseUploadChecksum("sha256 ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="));
  for (const char* text :
       {"", "sha1", "sha1 ", "sha256 Kq5sNclPz7QV2+lfQIuc6R7oRu0=", "md5 1B2M2Y8AsgTpgAmY7PhCfg==",
        "SHA1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=", "sha1  Kq5sNclPz7QV2+lfQIuc6R7oRu0=",
        "sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0", "sha1 not base64"})
    EXPECT_FALSE(ParseUploadChecksum(text)) << text;
}

TEST(TusHeadersTest, MetadataIsCheckedAsAWhole) {
  const char* good = "filename d29ybGRfZG9taW5hdGlvbl9wbGFuLnBkZg==,is_confidential";
  EXPECT_EQ(FindUploadMetadata(good, "filename").value(), "world_domination_plan.pdf");
  EXPECT_EQ(FindUploadMetadata(good, "is_confidential").value(), "");
  EXPECT_EQ(FindUploadMetadata(good, "sha256").value(), std::nullopt);
  EXPECT_EQ(FindUploadMetadata("", "filename").value(), std::nullopt);
  EXPECT_EQ(FindUploadMetadata("a YQ==, b Yg==", "b").value(), "b");
  for (const char* text : {",", "a YQ==,,b Yg==", "a YQ", "a YQ==,a YQ==", "\xc3\xa9 YQ==", "a YQ== YQ=="})
    EXPECT_FALSE(FindUploadMetadata(text, "a")) << text;
}

TEST(TusHeadersTest, TimesAreThoseOfHttp) {
  EXPECT_EQ(HttpDateOf("2026-11-21T06:07:08Z"), "Sat, 21 Nov 2026 06:07:08 GMT");
  EXPECT_EQ(HttpDateOf("yesterday"), "");
}

}  // namespace
}  // namespace glasscase::http
