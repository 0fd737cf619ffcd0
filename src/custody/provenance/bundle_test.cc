#include <glasscase/provenance/bundle.h>

#include "signing_test.h"

namespace glasscase::provenance {
namespace {

class BundleTest : public ::testing::Test {
 protected:
  std::string ErrorOf(std::string_view text) const {
    const auto opened = OpenStatement(text, keys);
    return opened ? "accepted" : opened.error().message();
  }

  const EcdsaPrivateKey key = MakeKey(1);
  const EcdsaPrivateKey other = MakeKey(2, Curve::kP384);
  const std::vector<EcdsaPublicKey> keys{other.public_key(), key.public_key()};
  const Statement statement{.subjects = {{"thing", Sha256(AsBytes("thing"))}},
                            .predicate_type = "urn:test",
                            .predicate = {{"b", 1}, {"a", "\xc3\xa9"}}};
  const std::string bundle = SignStatement(statement, key).value();
};

TEST_F(BundleTest, StatementsComeBackWithTheKeyThatSigned) {
  const auto opened = OpenStatement(bundle, keys);
  ASSERT_TRUE(opened) << opened.error().message();
  EXPECT_EQ(opened->key, 1u);
  EXPECT_EQ(opened->statement.subjects, statement.subjects);
  EXPECT_EQ(opened->statement.predicate_type, "urn:test");
  EXPECT_EQ(opened->statement.predicate, statement.predicate);
}

TEST_F(BundleTest, EveryCurveSigns) {
  for (const Curve curve : {Curve::kP256, Curve::kP384, Curve::kP521}) {
    const auto signer = MakeKey(3, curve);
    const std::vector<EcdsaPublicKey> one{signer.public_key()};
    EXPECT_TRUE(OpenStatement(SignStatement(statement, signer).value(), one)) << CurveName(curve);
  }
}

TEST_F(BundleTest, EqualStatementsAreEqualPayloads) {
  Statement turned = statement;
  turned.predicate = {{"a", "\xc3\xa9"}, {"b", 1}};
  EXPECT_EQ(PayloadOf(SignStatement(turned, key).value()), PayloadOf(bundle));
}

TEST_F(BundleTest, AChangedPayloadIsRefused) {
  const std::string changed = Change(bundle, [](auto& object) {
    auto& payload = object["dsseEnvelope"].as_object()["payload"].as_string();
    payload[20] = payload[20] == 'A' ? 'B' : 'A';
  });
  EXPECT_EQ(
      ErrorOf(changed),
      "the signature does not fit: the bundle was altered after it was signed, or another key signed it");
}

TEST_F(BundleTest, AChangedPayloadTypeIsRefused) {
  EXPECT_NE(
      ErrorOf(Change(bundle, [](auto& o) { o["dsseEnvelope"].as_object()["payloadType"] = "text/plain"; }))
          .find("does not fit"),
      std::string::npos);
  EXPECT_EQ(ErrorOf(SignPayload("{}", key, "text/plain")),
            "the signed payload is of the type text/plain, not application/vnd.in-toto+json");
}

TEST_F(BundleTest, AKeyThatWasNotGivenIsNamed) {
  const auto stranger = MakeKey(9);
  const auto opened = OpenStatement(SignStatement(statement, stranger).value(), keys);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), Code::kPermissionDenied);
  EXPECT_EQ(opened.error().message(),
            "signed with the key " + KeyHint(stranger.public_key()) + ", which is not among the 2 given");
  EXPECT_FALSE(OpenStatement(bundle, {}));
}

// The hint is not signed: it may be absent, or written by others, but never makes a signature good.
TEST_F(BundleTest, HintsOfOtherSignersAreUnderstood) {
  const auto with_hint = [this](const std::string& hint) {
    return Change(bundle, [&](auto& o) {
      o["verificationMaterial"].as_object()["publicKey"] = boost::json::object{{"hint", hint}};
    });
  };
  EXPECT_EQ(ErrorOf(with_hint("")), "accepted");
  EXPECT_EQ(ErrorOf(with_hint(ToHex(Sha256(key.public_key().Der())))), "accepted");
  EXPECT_EQ(ErrorOf(with_hint(ToBase64(Sha256(key.public_key().Der())))), "accepted");
  EXPECT_NE(ErrorOf(with_hint(KeyHint(other.public_key()))).find("does not fit"), std::string::npos);
  EXPECT_NE(ErrorOf(with_hint("key-1\x1b[2J")).find("key-1\\x1b[2J"), std::string::npos);
}

TEST_F(BundleTest, AnOlderSignersBundleWithRawBytesAndWithoutLogEntriesIsRead) {
  EXPECT_EQ(
      ErrorOf(Change(bundle,
                     [](auto& o) {
                       o["verificationMaterial"] = boost::json::object{
                           {"publicKey", boost::json::object{{"rawBytes", "AAAA"},
                                                             {"keyDetails", "PKIX_ECDSA_P256_SHA_256"}}}};
                       o["dsseEnvelope"].as_object()["signatures"].as_array()[0].as_object().erase("keyid");
                     })),
      "accepted");
}

TEST_F(BundleTest, OtherKindsOfBundlesAreRefusedInWords) {
  const auto code_of = [&](const std::string& text) { return OpenStatement(text, keys).error().code(); };
  EXPECT_EQ(code_of(Change(
                bundle,
                [](auto& o) {
                  o["verificationMaterial"] = boost::json::object{{"certificate", boost::json::object()}};
                })),
            Code::kUnimplemented);
  EXPECT_EQ(code_of(Change(bundle, [](auto& o) { o["messageSignature"] = boost::json::object(); })),
            Code::kUnimplemented);
  EXPECT_EQ(ErrorOf(Change(bundle, [](auto& o) { o["mediaType"] = "application/json"; })),
            "bundle.mediaType is application/json, not application/vnd.dev.sigstore.bundle.v0.3+json");
  EXPECT_EQ(ErrorOf(Change(bundle, [](auto& o) { o.erase("dsseEnvelope"); })),
            "bundle.dsseEnvelope is missing");
  EXPECT_EQ(ErrorOf("{}"), "bundle.mediaType must be a string");
  EXPECT_EQ(ErrorOf("{"), "bundle: not JSON as expected here: incomplete JSON, at byte 1");
}

TEST_F(BundleTest, TwoSignaturesAreOneTooMany) {
  EXPECT_EQ(ErrorOf(Change(bundle,
                           [](auto& o) {
                             auto& signatures = o["dsseEnvelope"].as_object()["signatures"].as_array();
                             signatures.push_back(signatures[0]);
                           })),
            "bundle.dsseEnvelope.signatures must hold exactly one signature");
}

TEST_F(BundleTest, EveryTruncationIsRefused) {
  for (size_t length = 0; length < bundle.size(); length += 7)
    EXPECT_NE(ErrorOf(bundle.substr(0, length)), "accepted");
}

TEST_F(BundleTest, SignedTextThatIsNoStatementIsRefused) {
  EXPECT_NE(ErrorOf(SignPayload("[]", key)), "accepted");
  EXPECT_NE(ErrorOf(SignPayload("", key)), "accepted");
  EXPECT_NE(ErrorOf(Resign(bundle, key, [](auto& o) { o["_type"] = "https://in-toto.io/Statement/v0.1"; })),
            "accepted");
  EXPECT_EQ(ErrorOf(Resign(bundle, key, [](auto& o) { o["subject"] = boost::json::array(); })),
            "statement.subject must name at least one subject");
  EXPECT_EQ(
      ErrorOf(Resign(bundle, key,
                     [](auto& o) {
                       o["subject"].as_array()[0].as_object()["digest"] = boost::json::object{{"md5", ""}};
                     })),
      "statement.subject[0].digest.sha256 must be a string");
  EXPECT_EQ(ErrorOf(Resign(bundle, key, [](auto& o) { o.erase("predicate"); })),
            "statement.predicate is missing");
  // Which of the two would count is what a signature must not leave open.
  EXPECT_NE(ErrorOf(SignPayload(R"({"_type":"a","_type":"b"})", key)).find("appears twice"),
            std::string::npos);
}

TEST_F(BundleTest, AStatementThatIsNotUtf8IsNotSigned) {
  EXPECT_FALSE(SignStatement({.subjects = {{"\xff", {}}}, .predicate_type = "t", .predicate = {}}, key));
}

}  // namespace
}  // namespace glasscase::provenance
