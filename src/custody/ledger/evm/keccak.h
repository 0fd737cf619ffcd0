// Keccak-256 as Ethereum uses it: the padding of the competition's winner (0x01), not that of SHA-3 (0x06),
// which is why OpenSSL's SHA3-256 gives other digests.
#pragma once

#include <glasscase/core/bytes.h>

namespace glasscase::ledger::evm {

Digest Keccak256(ByteSpan bytes);

}  // namespace glasscase::ledger::evm
