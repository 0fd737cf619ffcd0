#include "text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <optional>

#include <glasscase/core/bytes.h>

namespace glasscase::commands {
namespace {

struct CodePoint {
  char32_t value = 0;
  size_t bytes = 0;
};

// The code point that starts `text`; nothing when it is not well-formed UTF-8.
std::optional<CodePoint> FirstCodePoint(std::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  if (first < 0x80) return CodePoint{first, 1};
  const size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (length > text.size() || !IsUtf8(text.substr(0, length))) return std::nullopt;
  char32_t value = first & (0xFFU >> (length + 1));
  for (size_t i = 1; i < length; ++i) value = value << 6 | (static_cast<unsigned char>(text[i]) & 0x3FU);
  return CodePoint{value, length};
}

bool DisturbsTerminals(char32_t c) {
  const bool control = c < 0x20 || (c >= 0x7F && c < 0xA0);
  const bool direction =
      (c >= 0x200B && c <= 0x200F) || (c >= 0x202A && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F);
  const bool line = c == 0x2028 || c == 0x2029;
  return control || direction || line || c == 0xFEFF || (c >= 0xFFF9 && c <= 0xFFFB) || c >= 0xE0000;
}

std::string Escaped(char32_t c) {
  std::array<char, 16> buffer{};
  const char* form = c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x";
  const int n = std::snprintf(buffer.data(), buffer.size(), form, static_cast<unsigned>(c));
  return {buffer.data(), static_cast<size_t>(n)};
}

}  // namespace

std::string Visible(std::string_view text, bool keep_lines) {
  std::string visible;
  visible.reserve(text.size());
  while (!text.empty()) {
    const auto point = FirstCodePoint(text);
    const size_t length = point ? point->bytes : 1;
    const bool kept_line = keep_lines && point && point->value == '\n';
    if (!point) {
      visible += Escaped(static_cast<unsigned char>(text[0]));
    } else if (DisturbsTerminals(point->value) && !kept_line) {
      visible += Escaped(point->value);
    } else {
      visible += text.substr(0, length);
    }
    text.remove_prefix(length);
  }
  return visible;
}

size_t DisplayWidth(std::string_view text) {
  return static_cast<size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string FormatTable(const std::vector<std::vector<std::string>>& rows, bool bold_heading) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], DisplayWidth(row[i]));
  }
  std::string table;
  for (size_t r = 0; r < rows.size(); ++r) {
    std::string line;
    for (size_t i = 0; i < rows[r].size(); ++i) {
      line += rows[r][i];
      if (i + 1 < rows[r].size()) line.append(widths[i] - DisplayWidth(rows[r][i]) + 2, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    const bool bold = bold_heading && r == 0;
    table += (bold ? "\x1b[1m" : "") + line + (bold ? "\x1b[0m" : "") + "\n";
  }
  return table;
}

std::string FormatBytes(uint64_t bytes) {
  if (bytes < 1000) return std::to_string(bytes) + " B";
  double value = static_cast<double>(bytes);
  const char* unit = "B";
  for (const char* larger : {"kB", "MB", "GB", "TB"}) {
    if (value < 999.95) break;
    value /= 1000;
    unit = larger;
  }
  std::array<char, 32> buffer{};
  const int n = std::snprintf(buffer.data(), buffer.size(), "%.1f %s", value, unit);
  return {buffer.data(), static_cast<size_t>(n)};
}

std::string FormatSeconds(double seconds) {
  const auto whole = static_cast<uint64_t>(std::llround(std::clamp(seconds, 0.0, 1e9)));
  if (whole < 60) return std::to_string(whole) + " s";
  if (whole < 3600) return std::to_string(whole / 60) + " min " + std::to_string(whole % 60) + " s";
  return std::to_string(whole / 3600) + " h " + std::to_string(whole % 3600 / 60) + " min";
}

std::string FormatNumber(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  std::array<char, 64> buffer{};
  const auto narrow = static_cast<float>(value);
  const bool is_float = static_cast<double>(narrow) == value;
  const auto end = is_float ? std::to_chars(buffer.data(), buffer.data() + buffer.size(), narrow)
                            : std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  return {buffer.data(), end.ptr};
}

std::string FormatRounded(double value) {
  constexpr double kCountMax = 1e6;  // whole numbers are counts as a rule, and told to the last digit
  if (!std::isfinite(value) || (value == std::floor(value) && std::abs(value) < kCountMax))
    return FormatNumber(value);
  std::array<char, 32> buffer{};
  const int n = std::snprintf(buffer.data(), buffer.size(), "%.4g", value);
  return {buffer.data(), static_cast<size_t>(n)};
}

std::string FormatMilliseconds(double milliseconds) {
  std::array<char, 64> buffer{};
  const int n = std::snprintf(buffer.data(), buffer.size(), "%.2f ms", std::clamp(milliseconds, 0.0, 1e12));
  return {buffer.data(), static_cast<size_t>(n)};
}

std::string Count(uint64_t n, std::string_view thing) {
  return std::to_string(n) + " " + std::string(thing) + (n == 1 ? "" : "s");
}

std::string Join(const std::vector<std::string>& parts, std::string_view separator) {
  std::string joined;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) joined += separator;
    joined += parts[i];
  }
  return joined;
}

std::string ShellQuote(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'') {
      quoted += "'\\''";
    } else {
      quoted += c;
    }
  }
  return quoted + "'";
}

std::string PercentEncode(std::string_view text) {
  static constexpr std::string_view kUnreserved =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  static constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    if (kUnreserved.find(c) != std::string_view::npos) {
      encoded += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    encoded += '%';
    encoded += kDigits[byte >> 4];
    encoded += kDigits[byte & 15];
  }
  return encoded;
}

}  // namespace glasscase::commands
