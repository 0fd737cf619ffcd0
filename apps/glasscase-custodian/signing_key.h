// The key that signs what is published, for tools of others: keys/signing.key (P-256, PKCS#8 in PEM), and its
// other half, signing.pem.
#pragma once

#include <glasscase/core/error.h>
#include <glasscase/crypto/ecdsa.h>
#include <glasscase/crypto/random.h>

namespace glasscase::custodian {

// Makes both files where they are missing, so a directory of before there was such a key gets one.
Result<EcdsaPrivateKey> LoadOrMakeSigningKey(int directory, RandomSource& random);

}  // namespace glasscase::custodian
