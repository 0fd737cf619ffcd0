// Small pieces of text for people.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace glasscase::commands {

// `text` as it may reach a terminal: control characters, characters that change the direction or order of
// others, and bytes that are not UTF-8 become escapes, so that no server can drive the caller's terminal.
// A line break stays one when `keep_lines`.
std::string Visible(std::string_view text, bool keep_lines = false);

// Columns that well-formed UTF-8 takes, counting one per code point.
size_t DisplayWidth(std::string_view text);

// Columns of `rows` padded to the widest cell, two spaces apart; the first row is the heading.
std::string FormatTable(const std::vector<std::vector<std::string>>& rows, bool bold_heading = false);

std::string FormatBytes(uint64_t bytes);    // "12.3 MB"
std::string FormatSeconds(double seconds);  // "3 s", "2 min 5 s"
std::string FormatNumber(double value);     // shortest that reads back as the same float: "0.25", "7"
std::string FormatRounded(double value);    // at most four digits: "0.9778", "1.76e+13"
std::string FormatMilliseconds(double milliseconds);    // "0.41 ms"
std::string Count(uint64_t n, std::string_view thing);  // "1 token", "2 tokens"
std::string Join(const std::vector<std::string>& parts, std::string_view separator);

// For a POSIX shell: 'it'\''s'.
std::string ShellQuote(std::string_view text);

// Everything but unreserved characters (RFC 3986) as %XX.
std::string PercentEncode(std::string_view text);

}  // namespace glasscase::commands
