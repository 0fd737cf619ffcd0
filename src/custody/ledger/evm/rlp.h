// Recursive Length Prefix: how Ethereum writes byte strings and lists of them.
#pragma once

#include <initializer_list>
#include <vector>

#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>

namespace glasscase::ledger::evm {

Bytes RlpString(ByteSpan bytes);
// Big endian without leading zeros; zero is the empty string.
Bytes RlpNumber(uint64_t number);
Bytes RlpNumber(ByteSpan big_endian);
// Of items that are encoded already.
Bytes RlpList(const std::vector<Bytes>& items);

// Reads items one after the other, in the one form that an encoder gives: anything else is InvalidArgument.
// Views into the given bytes, which outlive it.
class RlpReader {
 public:
  explicit RlpReader(ByteSpan bytes) : left_(bytes) {}

  bool AtEnd() const { return left_.empty(); }
  Result<ByteSpan> ReadString();
  Result<uint64_t> ReadNumber();
  Result<RlpReader> ReadList();

 private:
  Result<ByteSpan> ReadPayload(uint8_t base);
  ByteSpan left_;
};

}  // namespace glasscase::ledger::evm
