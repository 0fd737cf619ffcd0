// A foreign document, JSON or UBJSON, with arrays of numbers packed: eight bytes a number, where a general
// tree of values takes sixteen and a model of a million nodes has ten million numbers.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>

namespace glasscase::translation {

struct Value;
struct Member;
using Numbers = std::vector<double>;
using Items = std::vector<Value>;
using Members = std::vector<Member>;  // in the order of the file

// An empty array is Numbers. Numbers and other values do not mix in one array.
struct Value {
  std::variant<std::monostate, bool, double, std::string, Numbers, Items, Members> data;

  // The member of that name, or null; also when this is no object.
  const Value* Find(std::string_view name) const;
};
struct Member {
  std::string name;
  Value value;
};

inline constexpr size_t kNestingMax = 32;
inline constexpr size_t kValuesMax = 4'000'000;  // numbers in packed arrays do not count
inline constexpr size_t kMembersMax = 256;       // per object

struct DocumentOptions {
  // Numbers are the nearest float32 of their text rather than the nearest double.
  bool numbers_are_float32 = false;
  // Members whose value is checked and forgotten, wherever they stand.
  std::span<const std::string_view> unwanted{};
};

// RFC 8259, no key twice. A number beyond the range of a double is an infinity of its sign.
// InvalidArgument with the byte.
Result<Value> ParseJson(std::string_view text, const DocumentOptions& options);

// UBJSON (ubjson.org, draft 12) as XGBoost writes it; the same refusals.
Result<Value> ParseUbj(ByteSpan bytes, const DocumentOptions& options);

}  // namespace glasscase::translation
