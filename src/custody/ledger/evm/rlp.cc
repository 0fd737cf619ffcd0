#include "rlp.h"

#include <algorithm>
#include <array>

namespace glasscase::ledger::evm {
namespace {

constexpr uint8_t kStringBase = 0x80;
constexpr uint8_t kListBase = 0xc0;
constexpr size_t kShortMax = 55;  // longer payloads have their length in bytes of its own

std::array<uint8_t, 8> BigEndian(uint64_t number) {
  std::array<uint8_t, 8> bytes;
  for (size_t i = 0; i < 8; ++i) bytes[i] = static_cast<uint8_t>(number >> (56 - 8 * i));
  return bytes;
}

ByteSpan WithoutLeadingZeros(ByteSpan bytes) {
  const auto first = std::ranges::find_if(bytes, [](uint8_t byte) { return byte != 0; });
  return bytes.subspan(static_cast<size_t>(first - bytes.begin()));
}

Bytes Prefix(uint8_t base, size_t payload_bytes) {
  if (payload_bytes <= kShortMax) return {static_cast<uint8_t>(base + payload_bytes)};
  const auto length = BigEndian(payload_bytes);
  const ByteSpan digits = WithoutLeadingZeros(length);
  Bytes prefix{static_cast<uint8_t>(base + kShortMax + digits.size())};
  prefix.insert(prefix.end(), digits.begin(), digits.end());
  return prefix;
}

Error Malformed(const char* why) { return Error::InvalidArgument(std::string("malformed RLP: ") + why); }

}  // namespace

Bytes RlpString(ByteSpan bytes) {
  if (bytes.size() == 1 && bytes[0] < kStringBase) return {bytes[0]};
  Bytes encoded = Prefix(kStringBase, bytes.size());
  encoded.insert(encoded.end(), bytes.begin(), bytes.end());
  return encoded;
}

Bytes RlpNumber(ByteSpan big_endian) { return RlpString(WithoutLeadingZeros(big_endian)); }
Bytes RlpNumber(uint64_t number) { return RlpNumber(ByteSpan(BigEndian(number))); }

Bytes RlpList(const std::vector<Bytes>& items) {
  size_t payload_bytes = 0;
  for (const Bytes& item : items) payload_bytes += item.size();
  Bytes encoded = Prefix(kListBase, payload_bytes);
  encoded.reserve(encoded.size() + payload_bytes);
  for (const Bytes& item : items) encoded.insert(encoded.end(), item.begin(), item.end());
  return encoded;
}

// Of an item whose first byte is at least `base` and less than the next base.
Result<ByteSpan> RlpReader::ReadPayload(uint8_t base) {
  size_t header_bytes = 1;
  uint64_t payload_bytes = left_[0] - base;
  if (payload_bytes > kShortMax) {
    const size_t length_bytes = static_cast<size_t>(payload_bytes) - kShortMax;
    if (left_.size() - 1 < length_bytes) return Fail(Malformed("a length is cut"));
    if (left_[1] == 0) return Fail(Malformed("a length begins with zero"));
    payload_bytes = 0;
    for (size_t i = 1; i <= length_bytes; ++i) payload_bytes = payload_bytes << 8 | left_[i];
    if (payload_bytes <= kShortMax) return Fail(Malformed("a length is longer than it must be"));
    header_bytes += length_bytes;
  }
  if (left_.size() - header_bytes < payload_bytes) return Fail(Malformed("an item is cut"));
  const ByteSpan payload = left_.subspan(header_bytes, static_cast<size_t>(payload_bytes));
  left_ = left_.subspan(header_bytes + payload.size());
  return payload;
}

Result<ByteSpan> RlpReader::ReadString() {
  if (left_.empty()) return Fail(Malformed("a string is missing"));
  if (left_[0] >= kListBase) return Fail(Malformed("a list where a string should be"));
  if (left_[0] < kStringBase) {
    const ByteSpan itself = left_.first(1);
    left_ = left_.subspan(1);
    return itself;
  }
  GC_TRY(const ByteSpan payload, ReadPayload(kStringBase));
  if (payload.size() == 1 && payload[0] < kStringBase)
    return Fail(Malformed("a byte is longer than it must be"));
  return payload;
}

Result<uint64_t> RlpReader::ReadNumber() {
  GC_TRY(const ByteSpan digits, ReadString());
  if (digits.size() > 8 || (!digits.empty() && digits[0] == 0))
    return Fail(Malformed("not a number of 64 bits"));
  uint64_t number = 0;
  for (const uint8_t digit : digits) number = number << 8 | digit;
  return number;
}

Result<RlpReader> RlpReader::ReadList() {
  if (left_.empty()) return Fail(Malformed("a list is missing"));
  if (left_[0] < kListBase) return Fail(Malformed("a string where a list should be"));
  GC_TRY(const ByteSpan payload, ReadPayload(kListBase));
  return RlpReader(payload);
}

}  // namespace glasscase::ledger::evm
