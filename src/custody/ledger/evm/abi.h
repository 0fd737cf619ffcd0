// The Solidity ABI, as far as our contracts need it: words of 32 bytes, and one string behind them.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>
#include <glasscase/core/ids.h>
#include <glasscase/ledger_evm/signing_key.h>

namespace glasscase::ledger::evm {

using Word = std::array<uint8_t, 32>;

Word WordOf(uint64_t number);
Word WordOf(const Uuid& id);  // bytes16: on the left
Word WordOf(const Address& address);

// The first four bytes of the digest of "name(type,type)".
std::array<uint8_t, 4> SelectorOf(std::string_view signature);
// The digest itself: how logs name an event.
Word TopicOf(std::string_view signature);

// A call of a function: its selector, then its arguments one by one.
class AbiWriter {
 public:
  AbiWriter() = default;
  explicit AbiWriter(std::string_view signature);
  explicit AbiWriter(Bytes contract_code) : bytes_(std::move(contract_code)) {}
  AbiWriter& Add(const Word& word);
  // The last of `arguments` arguments.
  AbiWriter& AddLastString(size_t arguments, std::string_view text);
  Bytes Take() && { return std::move(bytes_); }

 private:
  Bytes bytes_;
};

// Reads what a contract gave. DataLoss when it is not what was asked for.
class AbiReader {
 public:
  explicit AbiReader(ByteSpan bytes) : bytes_(bytes) {}
  Result<Word> ReadWord();
  Result<uint64_t> ReadNumber();
  Result<Uuid> ReadUuid();
  Result<Address> ReadAddress();
  // A string that is the only value.
  Result<std::string> ReadOnlyString(size_t bytes_max);

 private:
  ByteSpan bytes_;
  size_t at_ = 0;
};

}  // namespace glasscase::ledger::evm
