// Keys in files, P-256, PKCS#8 in PEM: keys/signing.key, which signs what is published for tools of others,
// with its other half, signing.pem; and keys/gate.key, by which workers on other machines know this
// installation.
#pragma once

#include <glasscase/core/error.h>
#include <glasscase/crypto/ecdsa.h>
#include <glasscase/crypto/random.h>

namespace glasscase::custodian {

// Makes both files where they are missing, so a directory of before there was such a key gets one.
Result<EcdsaPrivateKey> LoadOrMakeSigningKey(int directory, RandomSource& random);
// Likewise, its one file.
Result<EcdsaPrivateKey> LoadOrMakeGateKey(int directory, RandomSource& random);

}  // namespace glasscase::custodian
