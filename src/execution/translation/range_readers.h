// The two kinds of files that ranges are read from.
#pragma once

#include <string>

#include <glasscase/translation/ranges.h>

namespace glasscase::translation {

Result<Ranges> ReadTableRanges(std::string_view text, uint32_t features);  // CSV
Result<Ranges> ReadArrayRanges(ByteSpan file, uint32_t features);          // NPY and NPZ
bool IsArrayFile(ByteSpan file);

// Puts a number in: as float32, where that is finite.
inline void AddNumber(Range& range, double number) {
  const auto x = static_cast<float>(number);
  if (x - x == 0) range.Add({.low = x, .high = x});
}

inline Error OtherWidth(const std::string& columns, uint32_t features) {
  return Error::InvalidArgument("it has " + columns + " columns, and the model takes " +
                                std::to_string(features) + " features");
}

}  // namespace glasscase::translation
