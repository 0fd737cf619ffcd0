// JSON of others, read without tolerance. What a lenient reader decides silently (which of two equal keys
// counts, what half a character means) is where two programs come to disagree about one signed text, so it is
// an error here.
#pragma once

#include <cstddef>
#include <string_view>

#include <boost/json/value.hpp>

#include <glasscase/core/error.h>

namespace glasscase::json {

struct Limits {
  size_t bytes_max = size_t{1} << 20;
  size_t depth_max = 32;
  // Per object. Boost's hash of a key is known to everybody, so a long object can be made slow on purpose.
  size_t members_max = 1024;
};

// Gives the one value that `text` holds: RFC 8259, well-formed UTF-8, no key twice in one object, no half of
// a surrogate pair, no number beyond what a double holds. Whole numbers that fit are int64 or uint64; other
// numbers are the nearest double. InvalidArgument says what is wrong and at which byte; ResourceExhausted
// which limit is passed. Thread-safe.
Result<boost::json::value> Parse(std::string_view text, const Limits& limits = {});

}  // namespace glasscase::json
