// "Did you mean ...?"
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace glasscase::commands {

// The candidate that takes the fewest insertions, deletions, replacements and swaps of neighbours (Damerau-
// Levenshtein, optimal string alignment); nothing when even that one is not like `word`.
std::optional<std::string> Nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace glasscase::commands
