#include "seeds.h"

#include <charconv>
#include <string>

#include <glasscase/core/bytes.h>

namespace glasscase::commands {
namespace {

struct Range {
  uint32_t first = 0;
  uint32_t last = 0;
};

Result<uint32_t> ParseSeed(std::string_view text) {
  uint32_t seed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seed);
  if (error == std::errc() && end == text.data() + text.size()) return seed;
  return Fail(Error::InvalidArgument("--seeds: \"" + Printable(text, 40) +
                                     "\" is no number from 0 to 4294967295; write 1..100, or 1,2,5"));
}

Result<Range> ParseRange(std::string_view text) {
  const size_t dots = text.find("..");
  GC_TRY(const uint32_t first, ParseSeed(text.substr(0, dots)));
  if (dots == text.npos) return Range{first, first};
  GC_TRY(const uint32_t last, ParseSeed(text.substr(dots + 2)));
  if (last >= first) return Range{first, last};
  return Fail(Error::InvalidArgument("--seeds: " + std::string(text) + " ends before it begins"));
}

}  // namespace

Result<std::vector<uint32_t>> ParseSeeds(std::string_view text) {
  std::vector<uint32_t> seeds;
  while (true) {
    const size_t comma = text.find(',');
    GC_TRY(const Range range, ParseRange(text.substr(0, comma)));
    if (uint64_t{range.last} - range.first >= kSeedsMax - seeds.size())
      return Fail(Error::InvalidArgument("--seeds: at most " + std::to_string(kSeedsMax) +
                                         " runs are queued at once; queue the others by a second command"));
    for (uint64_t seed = range.first; seed <= range.last; ++seed)
      seeds.push_back(static_cast<uint32_t>(seed));
    if (comma == text.npos) return seeds;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace glasscase::commands
