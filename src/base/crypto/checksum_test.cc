#include <glasscase/crypto/checksum.h>

#include <gtest/gtest.h>

namespace glasscase {
namespace {

std::string HexOf(ChecksumKind kind, std::string_view first, std::string_view second = "") {
  ChecksumStream stream(kind);
  stream.Update(AsBytes(first));
  stream.Update(AsBytes(second));
  return ToHex(stream.Finish());
}

// FIPS 180-4's examples.
TEST(ChecksumTest, PublishedVectors) {
  EXPECT_EQ(HexOf(ChecksumKind::kSha1, "abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(HexOf(ChecksumKind::kSha1, "abcdbcdecdefdefgefghfghighij", "hijkijkljklmklmnlmnomnopnopq"),
            "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
  EXPECT_EQ(HexOf(ChecksumKind::kSha256, "a", "bc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(ChecksumTest, KindsHaveTheNamesOfProtocols) {
  EXPECT_EQ(ChecksumKindFromName("sha1"), ChecksumKind::kSha1);
  EXPECT_EQ(ChecksumKindFromName("sha256"), ChecksumKind::kSha256);
  EXPECT_FALSE(ChecksumKindFromName("md5"));
  EXPECT_EQ(ChecksumBytes(ChecksumKind::kSha1), 20u);
  EXPECT_EQ(ChecksumBytes(ChecksumKind::kSha256), 32u);
}

}  // namespace
}  // namespace glasscase
