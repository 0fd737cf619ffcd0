// Parts of a representation and conditions on it: RFC 9110 sections 13 and 14, as far as a file of known
// length and a strong validator need them.
#pragma once

#include <cstdint>
#include <string_view>

namespace glasscase::http {

struct ByteRange {
  enum class Kind : uint8_t { kWhole, kPart, kUnsatisfiable };
  Kind kind = Kind::kWhole;
  uint64_t begin = 0;
  uint64_t end = 0;  // behind the last byte
  bool operator==(const ByteRange&) const = default;
};

// `text` is the field's value. Several ranges, other units and what cannot be understood give the whole, as
// the RFC lets a server do.
ByteRange ParseRange(std::string_view text, uint64_t bytes);

// Whether If-None-Match names this entity tag (with its quotes), or "*".
bool MatchesEntityTag(std::string_view list, std::string_view tag);

}  // namespace glasscase::http
