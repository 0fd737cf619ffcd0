// Two results of one recipe, compared.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <glasscase/core/bytes.h>

namespace glasscase::comparison {

// A number is within it when it differs by at most `absolute`, or by at most `relative` of the original.
struct Tolerance {
  double absolute = 1e-6;
  double relative = 1e-4;
};

enum class Class : uint8_t {
  kSame,     // B: the same bits, of the file or of its canonical form
  kWithin,   // T: every number within the tolerance, every word the same
  kNeither,  // N
};
std::string_view ClassName(Class found);  // "B"

struct Comparison {
  Class found = Class::kNeither;
  bool same_bytes = false;
  std::string format{};     // empty: not one whose parts are known
  uint64_t numbers = 0;     // that were compared
  double absolute_max = 0;  // of the differences
  double relative_max = 0;  // to the original, where that is not 0
  std::string different{};  // the first part that differs (beyond the tolerance, where one does): its name,
                            // or what else
  std::string original{};   // what stands there
  std::string repeated{};
};

Comparison Compare(ByteSpan original, ByteSpan repeated, const Tolerance& tolerance);

}  // namespace glasscase::comparison
