// Where the numbers of a dataset lie, feature by feature: from there the inputs of evidence are drawn.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>

namespace glasscase::translation {

struct Range {
  float low = std::numeric_limits<float>::infinity();
  float high = -std::numeric_limits<float>::infinity();

  bool is_known() const { return low <= high; }
  void Add(const Range& other) {
    low = std::min(low, other.low);
    high = std::max(high, other.high);
  }
};

// One for each feature; a feature of which the dataset has no finite number has none that is known.
using Ranges = std::vector<Range>;

inline constexpr uint64_t kDataBytesMax = uint64_t{256} << 20;  // of one file

// By the first bytes: NPY, NPZ, or CSV with commas, semicolons or tabs and perhaps a head. Taken are arrays
// [rows, ...] with `features` numbers a row. One column more is the target and left out: in CSV the one that
// is called target, label, class or y, else the one without numbers, else the last; in arrays the last. The
// bytes are hostile: InvalidArgument says what does not fit, in memory of a few times the file's size.
Result<Ranges> ReadRanges(ByteSpan file, uint32_t features);

}  // namespace glasscase::translation
