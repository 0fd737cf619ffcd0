// The seeds of a sweep, as people write them.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include <glasscase/core/error.h>

namespace glasscase::commands {

inline constexpr size_t kSeedsMax = 1'000;  // as of one request

// "1..100", "1,2,5", "1..3,7"; in that order. InvalidArgument says what is wrong with it.
Result<std::vector<uint32_t>> ParseSeeds(std::string_view text);

}  // namespace glasscase::commands
