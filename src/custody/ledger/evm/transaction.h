// Transactions of type 2 (EIP-1559), the only ones we write.
#pragma once

#include <optional>

#include <glasscase/core/bytes.h>
#include <glasscase/ledger_evm/signing_key.h>

namespace glasscase::ledger::evm {

// What the sender pays at most per gas, in wei.
struct Fees {
  uint64_t priority = 0;  // to whoever makes the block
  uint64_t max = 0;       // in all
  bool operator==(const Fees&) const = default;
};

struct Transaction {
  uint64_t chain_id = 0;
  uint64_t nonce = 0;
  Fees fees{};
  uint64_t gas = 0;
  std::optional<Address> to{};  // none: makes a contract
  Bytes data{};
  bool operator==(const Transaction&) const = default;
};

// As eth_sendRawTransaction takes it. The same bytes each time.
Bytes SignTransaction(const Transaction& transaction, const SigningKey& key);

// What the chain calls a signed transaction.
Digest TransactionHash(ByteSpan raw);

// Where the contract will stand that a transaction of this account with this nonce makes.
Address CreatedAddress(const Address& sender, uint64_t nonce);

}  // namespace glasscase::ledger::evm
