// Names, labels and durations as callers write them. Errors are InvalidArgument and say the rule.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <glasscase/core/error.h>

namespace glasscase::operations {

Status CheckSubjectName(std::string_view name);
Status CheckModelName(std::string_view name);  // as subjects', without the words that routes use
Status CheckVersionLabel(std::string_view label);

// "30d", "12h", "90m" or "90min", "45s", "2w"; at most ten years. Gives microseconds; 0 for empty text.
Result<int64_t> ParseDuration(std::string_view text);

// One line of text of at most that many bytes; empty is fine.
Status CheckWords(std::string_view member, std::string_view text, size_t bytes_max);

// Puts the member's name before the message of a value that cannot be used.
template <typename T>
Result<T> Named(std::string_view member, Result<T> value) {
  if (!value) return Fail(value.error().WithContext(member));
  return value;
}

}  // namespace glasscase::operations
