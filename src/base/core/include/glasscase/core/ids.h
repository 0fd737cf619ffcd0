// Universally unique identifiers (RFC 9562). New ones are version 4, from the system's CSPRNG.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>

#include <glasscase/core/error.h>

namespace glasscase {

struct Uuid {
  std::array<uint8_t, 16> bytes{};

  static Uuid Random();                              // version 4; aborts if the kernel has no randomness
  static Result<Uuid> Parse(std::string_view text);  // 8-4-4-4-12 hexadecimal digits, either case
  static Result<Uuid> FromBytes(std::string_view sixteen_bytes);

  std::string ToString() const;  // lower case, with dashes
  std::string_view AsBytes() const { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
  bool IsNil() const { return *this == Uuid{}; }

  auto operator<=>(const Uuid&) const = default;
};

// For hash maps: identifiers are random already, so eight of their bytes are a hash. Not for keys that a
// caller can choose.
struct UuidHash {
  size_t operator()(const Uuid& id) const noexcept {
    size_t h = 0;
    std::memcpy(&h, id.bytes.data() + 8, sizeof h);
    return h;
  }
};

}  // namespace glasscase
