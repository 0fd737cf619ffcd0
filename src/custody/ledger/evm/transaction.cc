#include "transaction.h"

#include <algorithm>

#include "keccak.h"
#include "rlp.h"

namespace glasscase::ledger::evm {
namespace {

constexpr uint8_t kTypeTwo = 0x02;

Bytes WithType(const std::vector<Bytes>& items) {
  Bytes encoded = RlpList(items);
  encoded.insert(encoded.begin(), kTypeTwo);
  return encoded;
}

}  // namespace

Bytes SignTransaction(const Transaction& transaction, const SigningKey& key) {
  std::vector<Bytes> items{
      RlpNumber(transaction.chain_id),
      RlpNumber(transaction.nonce),
      RlpNumber(transaction.fees.priority),
      RlpNumber(transaction.fees.max),
      RlpNumber(transaction.gas),
      transaction.to ? RlpString(*transaction.to) : RlpString({}),
      RlpNumber(uint64_t{0}),  // value: we send no money
      RlpString(transaction.data),
      RlpList({}),  // access list
  };
  const Signature signature = key.Sign(Keccak256(WithType(items)));
  items.push_back(RlpNumber(signature.y_parity));
  items.push_back(RlpNumber(ByteSpan(signature.r)));
  items.push_back(RlpNumber(ByteSpan(signature.s)));
  return WithType(items);
}

Digest TransactionHash(ByteSpan raw) { return Keccak256(raw); }

Address CreatedAddress(const Address& sender, uint64_t nonce) {
  const Digest hash = Keccak256(RlpList({RlpString(sender), RlpNumber(nonce)}));
  Address address;
  std::copy(hash.end() - 20, hash.end(), address.begin());
  return address;
}

}  // namespace glasscase::ledger::evm
