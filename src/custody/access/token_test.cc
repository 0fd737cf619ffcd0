#include <glasscase/access/token.h>

#include <array>
#include <set>
#include <string>

#include <glasscase/crypto/sha256.h>
#include <glasscase/crypto/testing/seeded_random.h>
#include <gtest/gtest.h>

namespace glasscase::access {
namespace {

std::string Make(TokenKind kind, uint64_t seed) {
  testing::SeededRandom random(seed);
  const Secret secret = NewToken(kind, random);
  return std::string(secret.Reveal(RevealToken{}));
}

// Made with Python: zlib.crc32 of the thirty characters, written in base62 with six digits.
TEST(TokenTest, ChecksumIsTheCrc32OfTheRandomPart) {
  EXPECT_TRUE(CheckTokenFormat("gct_0123456789ABCDEFGHIJKLMNOPQRST4PMbyp"));
  EXPECT_TRUE(CheckTokenFormat("gci_0000000000000000000000000000002C8GjS"));
}

TEST(TokenTest, EveryNewTokenPassesItsOwnCheckAndDiffers) {
  std::set<std::string> seen;
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    const std::string token = Make(seed % 2 == 0 ? TokenKind::kAccess : TokenKind::kInvitation, seed);
    EXPECT_EQ(token.size(), 40U);
    EXPECT_EQ(token.substr(0, 4), seed % 2 == 0 ? "gct_" : "gci_");
    EXPECT_TRUE(CheckTokenFormat(token)) << token;
    EXPECT_TRUE(seen.insert(token).second);
  }
}

TEST(TokenTest, EveryCharacterIsAboutEquallyLikely) {
  std::array<int, 256> counts{};
  for (uint64_t seed = 0; seed < 4000; ++seed) {
    for (const char c : Make(TokenKind::kAccess, seed).substr(4, 30)) ++counts[static_cast<uint8_t>(c)];
  }
  int used = 0;
  for (const int count : counts) {
    if (count == 0) continue;
    ++used;
    EXPECT_NEAR(count, 4000.0 * 30 / 62, 6 * 44);  // six standard deviations
  }
  EXPECT_EQ(used, 62);
}

TEST(TokenTest, AnyChangeOfOneCharacterIsNoticed) {
  const std::string token = Make(TokenKind::kAccess, 7);
  for (size_t i = 4; i < token.size(); ++i) {
    for (const char c : {'0', 'Z', 'q', '_', ' ', '\0'}) {
      std::string changed = token;
      if (changed[i] == c) continue;
      changed[i] = c;
      EXPECT_FALSE(CheckTokenFormat(changed)) << i;
    }
  }
}

TEST(TokenTest, RefusalsSayWhatIsWrongAndNeverRepeatTheToken) {
  const std::string token = Make(TokenKind::kAccess, 7);
  const std::pair<std::string, std::string> cases[] = {
      {"", "begins with neither"},
      {"gct", "begins with neither"},
      {"ghp_" + token.substr(4), "begins with neither"},
      {token.substr(0, 39), "39 characters"},
      {token + "a", "41 characters"},
      {token.substr(0, 10) + "-" + token.substr(11), "outside"},
      {token.substr(0, 39) + (token[39] == 'a' ? "b" : "a"), "checksum"},
  };
  for (const auto& [text, words] : cases) {
    const Status status = CheckTokenFormat(text);
    ASSERT_FALSE(status) << text;
    EXPECT_EQ(status.error().code(), Code::kInvalidArgument);
    EXPECT_NE(status.error().message().find(words), std::string::npos) << status.error().message();
    EXPECT_EQ(status.error().message().find(token.substr(4, 8)), std::string::npos);
  }
}

TEST(TokenTest, WhatOneProcessHoldsOpensNothingAtAnother) {
  const std::string token = Make(TokenKind::kAccess, 1);
  const Digest host = HostCredential(token);
  const Digest custodian = CustodianCredential(token);
  const std::set<Digest> all = {EdgeDigest(token), host, CredentialDigest(host), custodian,
                                CredentialDigest(custodian)};
  EXPECT_EQ(all.size(), 5U);
  EXPECT_EQ(host, Sha256(AsBytes("glasscase-host" + token)));
  EXPECT_EQ(custodian, Sha256(AsBytes("glasscase-custodian" + token)));
  EXPECT_EQ(CredentialDigest(host), Sha256(host));
}

}  // namespace
}  // namespace glasscase::access
