// The Sigstore bundle v0.3 in JSON, as far as signing with a key needs it: a DSSE envelope, and a hint at
// which key.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include <glasscase/core/error.h>
#include <glasscase/crypto/ecdsa.h>
#include <glasscase/provenance/dsse.h>
#include <glasscase/provenance/statement.h>

namespace glasscase::provenance {

inline constexpr std::string_view kBundleMediaType = "application/vnd.dev.sigstore.bundle.v0.3+json";

// The largest bundle that is read: about 60,000 files.
inline constexpr size_t kBundleBytesMax = size_t{16} << 20;

struct Bundle {
  std::string key_hint;  // empty: none given
  Envelope envelope;     // with exactly one signature
};

// Which key a bundle names: SHA-256 of the public key's PEM text, in hexadecimal, as model-signing writes it.
std::string KeyHint(const EcdsaPublicKey& key);

std::string WriteBundle(const Bundle& bundle);

// InvalidArgument: not such a bundle. Unimplemented: a bundle that was signed with a certificate or without
// an envelope. Entries of transparency logs and timestamps are passed over: they are not checked, and nothing
// rests on them.
Result<Bundle> ParseBundle(std::string_view text);

struct SignedStatement {
  Statement statement;
  size_t key = 0;  // which of the given keys has signed
};

// A bundle's text with the statement, signed.
Result<std::string> SignStatement(const Statement& statement, const EcdsaPrivateKey& key);

// Gives the statement when one of `keys` has signed it. Nothing of the payload is read before the signature
// holds. PermissionDenied: signed by a key that is not among them. InvalidArgument: the signature is wrong,
// or the signed text is no statement.
Result<SignedStatement> OpenStatement(std::string_view bundle, std::span<const EcdsaPublicKey> keys);

}  // namespace glasscase::provenance
