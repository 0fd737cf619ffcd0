#include <glasscase/provenance/bundle.h>

#include <algorithm>
#include <utility>
#include <vector>

#include <glasscase/crypto/sha256.h>
#include <glasscase/json/canonical.h>
#include <glasscase/json/object_reader.h>

namespace glasscase::provenance {

using json::ObjectReader;

namespace {

// Refuses, in words that help, what a bundle may hold besides a key's signature of an envelope.
Status RefuseOtherMethods(const ObjectReader& bundle, const ObjectReader& material) {
  for (const char* certificate : {"certificate", "x509CertificateChain"})
    if (material.Has(certificate))
      return Fail(Error::Unimplemented(
          "the bundle was signed with a certificate; only signatures made with a key (method "
          "\"key\") are checked here"));
  if (bundle.Has("messageSignature"))
    return Fail(Error::Unimplemented(
        "the bundle holds a bare signature and no envelope: it cannot name a model's files"));
  return Ok();
}

// The spellings of a hint in use: SHA-256 of the PEM text in hexadecimal (model-signing), of the DER form in
// hexadecimal or base64 (other signers).
bool IsHintAt(std::string_view hint, const EcdsaPublicKey& key) {
  const Digest of_der = Sha256(key.Der());
  return hint == KeyHint(key) || hint == ToHex(of_der) || hint == ToBase64(of_der);
}

Result<size_t> FindSigner(const Bundle& bundle, std::span<const EcdsaPublicKey> keys) {
  const std::string signed_text =
      PreAuthenticationEncoding(bundle.envelope.payload_type, bundle.envelope.payload);
  bool any_hinted_at = false;
  for (size_t i = 0; i < keys.size(); ++i) {
    // The hint is not signed. It saves work and gives a better word; it never makes a key count that was not
    // given.
    if (!bundle.key_hint.empty() && !IsHintAt(bundle.key_hint, keys[i])) continue;
    any_hinted_at = true;
    if (keys[i].Verify(AsBytes(signed_text), bundle.envelope.signatures.front())) return i;
  }
  if (any_hinted_at)
    return Fail(
        Error::InvalidArgument("the signature does not fit: the bundle was altered after it was signed, or "
                               "another key signed it"));
  return Fail(Error::PermissionDenied("signed with the key " + Printable(bundle.key_hint, 64) +
                                      ", which is not among the " + std::to_string(keys.size()) + " given"));
}

}  // namespace

std::string KeyHint(const EcdsaPublicKey& key) { return ToHex(Sha256(AsBytes(key.Pem()))); }

std::string WriteBundle(const Bundle& bundle) {
  const auto text = json::WriteCanonical(
      boost::json::object{{"mediaType", kBundleMediaType},
                          {"verificationMaterial",
                           boost::json::object{{"publicKey", boost::json::object{{"hint", bundle.key_hint}}},
                                               {"tlogEntries", boost::json::array()}}},
                          {"dsseEnvelope", EnvelopeToJson(bundle.envelope)}});
  GC_CHECK(text);  // strings of ours and base64
  return *text;
}

Result<Bundle> ParseBundle(std::string_view text) {
  const auto value = json::Parse(text, {.bytes_max = kBundleBytesMax, .depth_max = 16});
  if (!value) return Fail(value.error().WithContext("bundle"));
  GC_TRY(const ObjectReader object, ObjectReader::Open(*value, "bundle"));
  GC_TRY(const std::string media_type, object.String("mediaType"));
  if (media_type != kBundleMediaType)
    return Fail(
        object.Wrong("mediaType", "is " + Printable(media_type) + ", not " + std::string(kBundleMediaType)));
  GC_TRY(const ObjectReader material, object.Object("verificationMaterial"));
  GC_TRY_VOID(RefuseOtherMethods(object, material));
  GC_TRY(const ObjectReader key, material.Object("publicKey"));
  Bundle bundle;
  if (key.Has("hint")) {
    GC_TRY(bundle.key_hint, key.String("hint"));
  }
  GC_TRY(const ObjectReader envelope, object.Object("dsseEnvelope"));
  GC_TRY(bundle.envelope, EnvelopeFromJson(value->at("dsseEnvelope")));
  if (bundle.envelope.signatures.size() != 1)
    return Fail(envelope.Wrong("signatures", "must hold exactly one signature"));
  return bundle;
}

Result<std::string> SignStatement(const Statement& statement, const EcdsaPrivateKey& key) {
  GC_TRY(const std::string payload, WriteStatement(statement));
  Bundle bundle{.key_hint = KeyHint(key.public_key()), .envelope = {}};
  GC_TRY(bundle.envelope, SignEnvelope(kInTotoPayloadType, payload, key));
  std::string text = WriteBundle(bundle);
  if (text.size() > kBundleBytesMax)
    return Fail(Error::ResourceExhausted("a bundle of " + std::to_string(text.size()) +
                                         " bytes would not be read again; "
                                         "at most " +
                                         std::to_string(kBundleBytesMax)));
  return text;
}

Result<SignedStatement> OpenStatement(std::string_view text, std::span<const EcdsaPublicKey> keys) {
  if (keys.empty())
    return Fail(Error::InvalidArgument("no public keys were given to check the signature with"));
  GC_TRY(const Bundle bundle, ParseBundle(text));
  GC_TRY(const size_t key, FindSigner(bundle, keys));
  if (bundle.envelope.payload_type != kInTotoPayloadType)
    return Fail(Error::InvalidArgument("the signed payload is of the type " +
                                       Printable(bundle.envelope.payload_type) + ", not " +
                                       std::string(kInTotoPayloadType)));
  GC_TRY(Statement statement, ParseStatement(bundle.envelope.payload));
  return SignedStatement{std::move(statement), key};
}

}  // namespace glasscase::provenance
