// Byte views and their text forms.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <glasscase/core/error.h>

namespace glasscase {

using Bytes = std::vector<uint8_t>;
using ByteSpan = std::span<const uint8_t>;
using Digest = std::array<uint8_t, 32>;  // SHA-256

inline ByteSpan AsBytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}
inline std::string_view AsText(ByteSpan bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string ToHex(ByteSpan bytes);                    // lower case
Result<Bytes> FromHex(std::string_view text);         // either case, even length
Result<Digest> DigestFromHex(std::string_view text);  // exactly 64 digits

std::string ToBase64(ByteSpan bytes);             // RFC 4648 section 4, padded
Result<Bytes> FromBase64(std::string_view text);  // strict: padding and alphabet

// `text` with control characters, quotes and bytes outside ASCII replaced by escapes, cut to `max`
// characters: what may be put into a log line or an error message that quotes foreign input.
std::string Printable(std::string_view text, size_t max = 120);

// True when `text` is well-formed UTF-8.
bool IsUtf8(std::string_view text);

}  // namespace glasscase
