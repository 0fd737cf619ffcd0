#include "names.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>

#include <glasscase/core/bytes.h>
#include <glasscase/core/ids.h>

namespace glasscase::operations {
namespace {

constexpr size_t kNameBytesMax = 63;
constexpr std::array<std::string_view, 15> kReservedWords = {
    "versions", "infer", "ready",     "config",    "stats", "trace",   "default", "receipt",
    "history",  "files", "statement", "signature", "edit",  "lineage", "chain"};

bool IsLower(char c) { return c >= 'a' && c <= 'z'; }
bool IsUpper(char c) { return c >= 'A' && c <= 'Z'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsPunctuation(char c) { return c == '.' || c == '_' || c == '-'; }

bool IsName(std::string_view text, bool upper_allowed) {
  if (text.empty() || text.size() > kNameBytesMax || IsPunctuation(text[0])) return false;
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return IsLower(c) || IsDigit(c) || IsPunctuation(c) || (upper_allowed && IsUpper(c));
  });
}

Error BadName(std::string_view what, std::string_view name, std::string_view letters) {
  return Error::InvalidArgument(
      "not a " + std::string(what) + ": it must begin with one of " + std::string(letters) +
      ", go on with these and . _ -, and have at most 63 characters: \"" + Printable(name) + "\"");
}

// UUIDs name things too, so a name in the form of one would be two things at once.
bool LooksLikeUuid(std::string_view text) { return Uuid::Parse(text).has_value(); }

}  // namespace

Status CheckSubjectName(std::string_view name) {
  if (!IsName(name, false) || LooksLikeUuid(name)) return Fail(BadName("subject's name", name, "a-z 0-9"));
  return Ok();
}

Status CheckModelName(std::string_view name) {
  if (!IsName(name, false) || LooksLikeUuid(name)) return Fail(BadName("model's name", name, "a-z 0-9"));
  if (std::find(kReservedWords.begin(), kReservedWords.end(), name) != kReservedWords.end())
    return Fail(Error::InvalidArgument(
        "not a model's name: versions, infer, ready, config, stats, trace, default, "
        "receipt, history, files, statement, signature, edit and lineage are words of the routes: \"" +
        std::string(name) + "\""));
  return Ok();
}

Status CheckVersionLabel(std::string_view label) {
  if (!IsName(label, true) || LooksLikeUuid(label)) return Fail(BadName("version", label, "A-Z a-z 0-9"));
  return Ok();
}

Result<int64_t> ParseDuration(std::string_view text) {
  if (text.empty()) return 0;
  constexpr int64_t kSecond = 1'000'000;
  constexpr int64_t kDay = 86'400 * kSecond;
  constexpr int64_t kMax = 3653 * kDay;
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit = text.substr(static_cast<size_t>(end - text.data()));
  const auto is = [&](std::initializer_list<std::string_view> words) {
    return std::find(words.begin(), words.end(), unit) != words.end();
  };
  const int64_t unit_micros = is({"s", "sec", "second"})   ? kSecond
                              : is({"m", "min", "minute"}) ? 60 * kSecond
                              : is({"h", "hour"})          ? 3600 * kSecond
                              : is({"d", "day"})           ? kDay
                              : is({"w"})                  ? 7 * kDay
                                                           : 0;
  if (error != std::errc() || unit_micros == 0 || number <= 0)
    return Fail(Error::InvalidArgument(
        "not a duration: write a whole number and s, m, h, d or w, as in 30d or 12h: \"" + Printable(text) +
        "\""));
  if (number > kMax / unit_micros)
    return Fail(Error::InvalidArgument("a duration is at most ten years: \"" + Printable(text) + "\""));
  return number * unit_micros;
}

Status CheckWords(std::string_view member, std::string_view text, size_t bytes_max) {
  const bool clean = IsUtf8(text) && std::none_of(text.begin(), text.end(), [](char c) {
                       return static_cast<uint8_t>(c) < 32 || c == 127;
                     });
  if (clean && text.size() <= bytes_max) return Ok();
  return Fail(Error::InvalidArgument(
      std::string(member) + " must be one line of at most " + std::to_string(bytes_max) +
      " bytes of UTF-8 without control characters: \"" + Printable(text) + "\""));
}

}  // namespace glasscase::operations
