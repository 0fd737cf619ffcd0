#include <glasscase/crypto/pin.h>

#include <gtest/gtest.h>

#include <glasscase/crypto/random.h>

namespace glasscase {
namespace {

// openssl pkey -pubout -outform DER | openssl dgst -sha256 -binary | base64
constexpr char kKey[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt\n"
    "6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==\n"
    "-----END PUBLIC KEY-----\n";

TEST(Pin, IsWrittenAsCurlDoes) {
  const auto key = EcdsaPublicKey::FromPem(kKey);
  ASSERT_TRUE(key);
  EXPECT_EQ(PinText(PinOf(*key)), "sha256//XNJS+wzokyQ2+vjM0QQJgbie5K1rn+niorfnGqyyfNM=");
}

TEST(Pin, ComesBackFromItsText) {
  SystemRandom random;
  const Pin pin = PinOf(EcdsaPrivateKey::Generate(Curve::kP256, random).public_key());
  const auto again = ParsePin(PinText(pin));
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, pin);
}

TEST(Pin, AnythingElseIsRefusedWithHowOneLooks) {
  for (const std::string_view text :
       {"", "sha256//", "sha256:abc", "sha256//AAAA", "sha512//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}) {
    const auto pin = ParsePin(text);
    ASSERT_FALSE(pin) << text;
    EXPECT_NE(pin.error().message().find("sha256// and 44 characters"), std::string::npos);
  }
}

}  // namespace
}  // namespace glasscase
