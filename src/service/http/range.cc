#include "range.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include <boost/beast/core/string.hpp>

namespace glasscase::http {
namespace {

std::string_view Trim(std::string_view text) {
  const auto is_space = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

// A number too large for 64 bits is the largest: it lies behind the end of every file.
std::optional<uint64_t> Digits(std::string_view text) {
  if (text.empty() || !std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; }))
    return std::nullopt;
  uint64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  return parsed.ec == std::errc() ? number : UINT64_MAX;
}

}  // namespace

ByteRange ParseRange(std::string_view text, uint64_t bytes) {
  const ByteRange whole{.kind = ByteRange::Kind::kWhole, .begin = 0, .end = bytes};
  const ByteRange unsatisfiable{.kind = ByteRange::Kind::kUnsatisfiable, .begin = 0, .end = 0};
  const size_t equals = text.find('=');
  if (equals == text.npos || !boost::beast::iequals(Trim(text.substr(0, equals)), "bytes")) return whole;
  const std::string_view range = Trim(text.substr(equals + 1));
  const size_t dash = range.find('-');
  if (dash == range.npos || range.find(',') != range.npos) return whole;
  const auto first = Digits(range.substr(0, dash));
  const auto last = Digits(range.substr(dash + 1));
  if (!first && !last) return whole;
  if (!first) {  // the last so many
    if (dash != 0) return whole;
    if (*last == 0 || bytes == 0) return unsatisfiable;
    return {.kind = ByteRange::Kind::kPart, .begin = bytes - std::min(bytes, *last), .end = bytes};
  }
  if (!last && dash + 1 != range.size()) return whole;
  if (last && *last < *first) return whole;
  if (*first >= bytes) return unsatisfiable;
  const uint64_t end = last ? std::min(bytes - 1, *last) + 1 : bytes;
  return {.kind = ByteRange::Kind::kPart, .begin = *first, .end = end};
}

bool MatchesEntityTag(std::string_view list, std::string_view tag) {
  while (!list.empty()) {
    const size_t comma = list.find(',');
    std::string_view entry = Trim(list.substr(0, comma));
    list.remove_prefix(comma == list.npos ? list.size() : comma + 1);
    if (entry.starts_with("W/")) entry.remove_prefix(2);  // the weak comparison
    if (entry == "*" || entry == tag) return true;
  }
  return false;
}

}  // namespace glasscase::http
