#include <glasscase/crypto/ed25519.h>

#include <gtest/gtest.h>

namespace glasscase {
namespace {

// RFC 8032, section 7.1, TEST 2.
constexpr char kSeed[] = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";
constexpr char kPublic[] = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
constexpr char kSignature[] =
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";

Ed25519Key RfcKey() {
  const Bytes seed = FromHex(kSeed).value();
  return Ed25519Key::FromSeed(Secret(std::string(AsText(seed)))).value();
}

TEST(Ed25519, SignsAsTheRfcSays) {
  const Ed25519Key key = RfcKey();
  EXPECT_EQ(ToHex(key.public_key().bytes()), kPublic);
  EXPECT_EQ(ToHex(key.Sign(AsBytes("\x72"))), kSignature);
  EXPECT_EQ(ToHex(AsBytes(key.Seed().Reveal(RevealToken()))), kSeed);
}

TEST(Ed25519, RefusesEveryChangedBit) {
  const Ed25519PublicKey key = Ed25519PublicKey::FromBytes(FromHex(kPublic).value()).value();
  const Bytes signature = FromHex(kSignature).value();
  EXPECT_TRUE(key.Verify(AsBytes("\x72"), signature));
  EXPECT_FALSE(key.Verify(AsBytes("\x73"), signature));
  EXPECT_FALSE(key.Verify(AsBytes("\x72"), ByteSpan(signature).first(63)));
  for (size_t bit = 0; bit < signature.size() * 8; ++bit) {
    Bytes changed = signature;
    changed[bit / 8] ^= static_cast<uint8_t>(1U << (bit % 8));
    EXPECT_FALSE(key.Verify(AsBytes("\x72"), changed)) << bit;
  }
}

TEST(Ed25519, OtherLengthsAreRefused) {
  EXPECT_FALSE(Ed25519PublicKey::FromBytes(Bytes(31)));
  EXPECT_FALSE(Ed25519Key::FromSeed(Secret(std::string(33, 'x'))));
}

TEST(Ed25519, WhatIsNoPointVerifiesNothing) {
  const Ed25519PublicKey key = Ed25519PublicKey::FromBytes(Bytes(32, 0xff)).value();
  EXPECT_FALSE(key.Verify(AsBytes("\x72"), FromHex(kSignature).value()));
}

TEST(Ed25519, EveryGeneratedKeyIsAnother) {
  SystemRandom random;
  EXPECT_FALSE(Ed25519Key::Generate(random).public_key() == Ed25519Key::Generate(random).public_key());
}

}  // namespace
}  // namespace glasscase
