#include <glasscase/crypto/ecdsa.h>

#include <gtest/gtest.h>

#include <glasscase/crypto/testing/seeded_random.h>

namespace glasscase {
namespace {

Bytes Hex(std::string_view text) { return FromHex(text).value(); }

class EcdsaTest : public ::testing::TestWithParam<Curve> {
 protected:
  SystemRandom random;
  EcdsaPrivateKey key = EcdsaPrivateKey::Generate(GetParam(), random);
};

INSTANTIATE_TEST_SUITE_P(Curves, EcdsaTest, ::testing::Values(Curve::kP256, Curve::kP384, Curve::kP521),
                         [](const auto& test) { return "P" + std::string(CurveName(test.param).substr(2)); });

TEST_P(EcdsaTest, SignaturesVerifyAndOnlyThoseOfTheMessageAndKey) {
  const Bytes signature = key.Sign(AsBytes("weights")).value();
  EXPECT_TRUE(key.public_key().Verify(AsBytes("weights"), signature));
  EXPECT_FALSE(key.public_key().Verify(AsBytes("weightz"), signature));
  const auto other = EcdsaPrivateKey::Generate(GetParam(), random);
  EXPECT_FALSE(other.public_key().Verify(AsBytes("weights"), signature));
}

TEST_P(EcdsaTest, EveryChangedByteOfASignatureIsRefused) {
  const Bytes signature = key.Sign(AsBytes("weights")).value();
  for (size_t i = 0; i < signature.size(); ++i) {
    Bytes changed = signature;
    changed[i] ^= 1;
    EXPECT_FALSE(key.public_key().Verify(AsBytes("weights"), changed)) << i;
  }
  Bytes longer = signature;
  longer.push_back(0);
  EXPECT_FALSE(key.public_key().Verify(AsBytes("weights"), longer));
  EXPECT_FALSE(key.public_key().Verify(AsBytes("weights"), {}));
}

TEST_P(EcdsaTest, KeysSurviveTheirTextForms) {
  const auto again = EcdsaPrivateKey::FromPem(key.Pem());
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(again->public_key().Der(), key.public_key().Der());
  const auto from_pem = EcdsaPublicKey::FromPem(key.public_key().Pem());
  const auto from_der = EcdsaPublicKey::FromDer(key.public_key().Der());
  ASSERT_TRUE(from_pem && from_der);
  EXPECT_EQ(from_pem->curve(), GetParam());
  EXPECT_EQ(from_pem->Der(), from_der->Der());
  EXPECT_TRUE(from_der->Verify(AsBytes("x"), again->Sign(AsBytes("x")).value()));
}

TEST_P(EcdsaTest, ThePublicFormDoesNotHoldThePrivateKey) {
  EXPECT_EQ(key.public_key().Pem().find("PRIVATE"), std::string::npos);
  EXPECT_TRUE(EcdsaPublicKey::FromPem(key.public_key().Pem()));
  EXPECT_FALSE(EcdsaPrivateKey::FromPem(Secret(key.public_key().Pem())));
}

TEST_P(EcdsaTest, OneSeedGivesOneKey) {
  testing::SeededRandom a(7);
  testing::SeededRandom b(7);
  EXPECT_EQ(EcdsaPrivateKey::Generate(GetParam(), a).public_key().Der(),
            EcdsaPrivateKey::Generate(GetParam(), b).public_key().Der());
}

// RFC 6979, appendix A.2.5: the P-256 key, and its signature of "sample" with SHA-256, here in DER.
constexpr std::string_view kRfc6979Point =
    "0460FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB67903FE1008B8BC99A41AE9E95628BC64F2F1B2"
    "0C2D7E9F5177"
    "A3C294D4462299";
constexpr std::string_view kP256Spki = "3059301306072a8648ce3d020106082a8648ce3d030107034200";

TEST(EcdsaVectorTest, SignatureOfRfc6979Verifies) {
  const auto key = EcdsaPublicKey::FromDer(Hex(std::string(kP256Spki) + std::string(kRfc6979Point)));
  ASSERT_TRUE(key) << key.error().message();
  const Bytes signature =
      Hex("3046022100EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716"
          "022100F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8");
  EXPECT_TRUE(key->Verify(AsBytes("sample"), signature));
  EXPECT_FALSE(key->Verify(AsBytes("test"), signature));
}

TEST(EcdsaVectorTest, ACompressedPointIsWrittenInFull) {
  const Bytes compressed = Hex(std::string("3039301306072a8648ce3d020106082a8648ce3d030107032200") + "03" +
                               std::string(kRfc6979Point.substr(2, 64)));
  const auto key = EcdsaPublicKey::FromDer(compressed);
  ASSERT_TRUE(key) << key.error().message();
  EXPECT_EQ(key->Der(), Hex(std::string(kP256Spki) + std::string(kRfc6979Point)));
}

TEST(EcdsaVectorTest, APointOffTheCurveIsRefused) {
  Bytes der = Hex(std::string(kP256Spki) + std::string(kRfc6979Point));
  der.back() ^= 1;
  EXPECT_FALSE(EcdsaPublicKey::FromDer(der));
}

// With it as the key, whoever likes could make signatures that fit.
TEST(EcdsaVectorTest, ThePointAtInfinityIsRefused) {
  EXPECT_FALSE(EcdsaPublicKey::FromDer(Hex("3019301306072a8648ce3d020106082a8648ce3d03010703020000")));
}

TEST(EcdsaVectorTest, BytesAfterAKeyAreRefused) {
  Bytes der = Hex(std::string(kP256Spki) + std::string(kRfc6979Point));
  der.push_back(0);
  EXPECT_FALSE(EcdsaPublicKey::FromDer(der));
}

// RFC 5915, with the private key of RFC 6979, A.2.5, and the public one as given.
Secret Sec1Pem(std::string_view private_hex) {
  const Bytes der = Hex("30770201010420" + std::string(private_hex) + "a00a06082a8648ce3d030107a144034200" +
                        std::string(kRfc6979Point));
  return Secret("-----BEGIN EC PRIVATE KEY-----\n" + ToBase64(der) + "\n-----END EC PRIVATE KEY-----\n");
}

TEST(EcdsaVectorTest, APrivateKeyMustBelongToItsPublicPart) {
  const std::string own = "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721";
  EXPECT_TRUE(EcdsaPrivateKey::FromPem(Sec1Pem(own)));
  const auto other = EcdsaPrivateKey::FromPem(Sec1Pem(own.substr(0, 63) + "2"));
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().message(), "the private key does not belong to its public part");
  EXPECT_FALSE(EcdsaPrivateKey::FromPem(Sec1Pem(std::string(64, '0'))));
}

// What `openssl genpkey -algorithm ed25519` and `openssl ecparam -name secp256k1 -genkey` make.
TEST(EcdsaKeyTest, OtherKindsOfKeysAreRefusedWithTheReason) {
  const auto ed25519 = EcdsaPublicKey::FromDer(
      Hex("302a300506032b6570032100d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"));
  ASSERT_FALSE(ed25519);
  EXPECT_EQ(ed25519.error().message(), "not an elliptic curve key; P-256, P-384 or P-521 is needed");
  const auto secp256k1 =
      EcdsaPublicKey::FromDer(Hex("3056301006072a8648ce3d020106052b8104000a0342000479be667ef9dcbbac55a06295ce"
                                  "870b07029bfcdb2dce28d959f2815b16f81798"
                                  "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8"));
  ASSERT_FALSE(secp256k1);
  EXPECT_EQ(secp256k1.error().message(),
            "the key is on the curve secp256k1; P-256, P-384 or P-521 is needed");
}

TEST(EcdsaKeyTest, WhatIsNoKeyIsRefused) {
  EXPECT_FALSE(EcdsaPublicKey::FromPem(""));
  EXPECT_FALSE(EcdsaPublicKey::FromPem("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"));
  EXPECT_FALSE(EcdsaPublicKey::FromPem(std::string(1 << 20, 'A')));
  EXPECT_FALSE(EcdsaPublicKey::FromDer({}));
  EXPECT_FALSE(EcdsaPrivateKey::FromPem(Secret("hello")));
}

TEST(EcdsaKeyTest, ALockedKeyIsRefusedWithoutAskingTheTerminal) {
  // openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -aes-128-cbc -pass pass:glasscase
  const auto locked =
      EcdsaPrivateKey::FromPem(Secret("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
                                      "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAgKTf0seQ4D+wICCAAw\n"
                                      "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEAQIEEOw1iRm/Z937wQ87ewp+qMEEgZCs\n"
                                      "iYiU7MYLcC4LnAoweHsjC2F+A+d8GtsG2+VwGt/SFyTngb4/vRtDeG9HrKlDsbje\n"
                                      "IVvG/yby/7nuWQwmb/XRP5HeNJ8QixQA/dK++xZEYN9Ruzn48aJd/uZMja7JoOr3\n"
                                      "F/R0JtLtSntvxt+4voaHnSR+ItyR9buZLHTViM3/3Ljee0NX2YPhW71nzNlK2R4=\n"
                                      "-----END ENCRYPTED PRIVATE KEY-----\n"));
  ASSERT_FALSE(locked);
  EXPECT_EQ(locked.error().code(), Code::kFailedPrecondition);
}

TEST(EcdsaKeyTest, TheOlderFormOfPrivateKeysIsRead) {
  // openssl ecparam -name prime256v1 -genkey -noout
  const auto key =
      EcdsaPrivateKey::FromPem(Secret("-----BEGIN EC PRIVATE KEY-----\n"
                                      "MHcCAQEEIJaPsdc9GRb+ViK511pPTlRIJfXEtFUUY/23+IEORnwWoAoGCCqGSM49\n"
                                      "AwEHoUQDQgAEInlCXYqMa7uJojrnnuIfS/NeifIqvg1CnR29VKypBJxY5a+C71Zl\n"
                                      "3ggvdOzwDl7SBpQRkqLmAdpMpFE7+7f90Q==\n"
                                      "-----END EC PRIVATE KEY-----\n"));
  ASSERT_TRUE(key) << key.error().message();
  EXPECT_EQ(key->curve(), Curve::kP256);
}

TEST(EcdsaKeyTest, ParametersWrittenOutAreRefused) {
  // openssl ecparam -name prime256v1 -genkey -noout -param_enc explicit
  const auto key =
      EcdsaPrivateKey::FromPem(Secret("-----BEGIN EC PRIVATE KEY-----\n"
                                      "MIIBaAIBAQQgO681xLKA4oDNTzhKX0ijoeJv0B1mqAEmXd6JIEbWU/KggfowgfcC\n"
                                      "AQEwLAYHKoZIzj0BAQIhAP////8AAAABAAAAAAAAAAAAAAAA////////////////\n"
                                      "MFsEIP////8AAAABAAAAAAAAAAAAAAAA///////////////8BCBaxjXYqjqT57Pr\n"
                                      "vVV2mIa8ZR0GsMxTsPY7zjw+J9JgSwMVAMSdNgiG5wSTamZ44ROdJreBn36QBEEE\n"
                                      "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54W\n"
                                      "K84zV2sxXs7LtkBoN79R9QIhAP////8AAAAA//////////+85vqtpxeehPO5ysL8\n"
                                      "YyVRAgEBoUQDQgAEerlUFgA1is2qy6BMa2pzfJvcwODujeU4Yhz6rcEd/MDmNdxm\n"
                                      "i1k7OQiRPWQk3szz5KBvqi/zM3vnTGNpMRsAGA==\n"
                                      "-----END EC PRIVATE KEY-----\n"));
  ASSERT_FALSE(key);
  EXPECT_EQ(key.error().message(), "the key writes out its curve's parameters instead of naming the curve");
}

}  // namespace
}  // namespace glasscase
