// How a public key is known to people: by the digest of its SubjectPublicKeyInfo, as curl writes pins.
#pragma once

#include <string>
#include <string_view>

#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>
#include <glasscase/crypto/ecdsa.h>

namespace glasscase {

using Pin = Digest;

Pin PinOf(const EcdsaPublicKey& key);
std::string PinText(const Pin& pin);  // "sha256//BASE64"
// InvalidArgument says how one looks.
Result<Pin> ParsePin(std::string_view text);

}  // namespace glasscase
