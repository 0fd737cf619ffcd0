#include "keccak.h"

#include <cryptopp/keccak.h>

namespace glasscase::ledger::evm {

Digest Keccak256(ByteSpan bytes) {
  CryptoPP::Keccak_256 hash;
  hash.Update(bytes.data(), bytes.size());
  Digest digest;
  hash.Final(digest.data());
  return digest;
}

}  // namespace glasscase::ledger::evm
