// ECDSA over the curves of NIST, with the hash that belongs to each: P-256 with SHA-256, P-384 with SHA-384,
// P-521 with SHA-512. For signatures that others must understand (OpenSSF model signing); what only we read
// is signed otherwise.
//
// Keys are immutable, and copies share one. All functions are thread-safe. Errors are words of ours and
// depend on the input alone; none quotes a key.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>
#include <glasscase/core/secret.h>
#include <glasscase/crypto/random.h>

struct evp_pkey_st;  // OpenSSL's EVP_PKEY

namespace glasscase {

enum class Curve : uint8_t { kP256, kP384, kP521 };
std::string_view CurveName(Curve curve);  // "P-256"

class EcdsaPublicKey {
 public:
  // From "-----BEGIN PUBLIC KEY-----" or the SubjectPublicKeyInfo inside it. InvalidArgument: no such key,
  // another kind of key, another curve, parameters written out instead of named, a point that is not on the
  // curve.
  static Result<EcdsaPublicKey> FromPem(std::string_view pem);
  static Result<EcdsaPublicKey> FromDer(ByteSpan spki);

  Curve curve() const { return curve_; }
  // SubjectPublicKeyInfo with the named curve and the uncompressed point, whatever form the key was read
  // from.
  Bytes Der() const;
  std::string Pem() const;  // lines of 64 characters, line feed at the end

  // Takes the DER form of the signature. InvalidArgument when it is not one by this key of this message.
  Status Verify(ByteSpan message, ByteSpan signature) const;

 private:
  friend class EcdsaPrivateKey;
  EcdsaPublicKey(std::shared_ptr<evp_pkey_st> key, Curve curve) : key_(std::move(key)), curve_(curve) {}
  std::shared_ptr<evp_pkey_st> key_;
  Curve curve_;
};

class EcdsaPrivateKey {
 public:
  static EcdsaPrivateKey Generate(Curve curve, RandomSource& random);

  // From PKCS#8 or the older "EC PRIVATE KEY", both without a password: one with a password is
  // FailedPrecondition.
  static Result<EcdsaPrivateKey> FromPem(const Secret& pem);
  Secret Pem() const;  // PKCS#8

  Curve curve() const { return public_.curve(); }
  const EcdsaPublicKey& public_key() const { return public_; }

  // In DER form. The nonce is OpenSSL's: of the key, the message and its own generator, so that two
  // signatures of one message differ and neither a bad generator nor a repeated message gives the key away.
  Result<Bytes> Sign(ByteSpan message) const;

 private:
  explicit EcdsaPrivateKey(EcdsaPublicKey key) : public_(std::move(key)) {}
  EcdsaPublicKey public_;  // its EVP_PKEY holds the private part too; written out, it gives the public one
};

}  // namespace glasscase
