#include "text.h"

#include <charconv>
#include <cstdint>

namespace glasscase::pickle {
namespace {

void AppendUtf8(uint32_t point, std::string& out) {
  const auto tail = [&](unsigned shift) { out += static_cast<char>(0x80 | (point >> shift & 0x3f)); };
  if (point < 0x80) {
    out += static_cast<char>(point);
  } else if (point < 0x800) {
    out += static_cast<char>(0xc0 | point >> 6);
    tail(0);
  } else if (point < 0x10000) {
    out += static_cast<char>(0xe0 | point >> 12);
    tail(6);
    tail(0);
  } else {
    out += static_cast<char>(0xf0 | (point >> 18 & 7));
    tail(12);
    tail(6);
    tail(0);
  }
}

// Reads up to `digits` digits; gives how many there were.
size_t ReadDigits(std::string_view text, size_t digits, int base, uint32_t& number) {
  const std::string_view cut = text.substr(0, digits);
  const auto end = std::from_chars(cut.data(), cut.data() + cut.size(), number, base).ptr;
  return static_cast<size_t>(end - cut.data());
}

char PlainEscape(char letter) {
  constexpr std::string_view kLetters = "\\'\"abfnrtv";
  constexpr std::string_view kCharacters = "\\'\"\a\b\f\n\r\t\v";
  const size_t at = kLetters.find(letter);
  return at == std::string_view::npos ? '\0' : kCharacters[at];
}

}  // namespace

std::string UnescapeString(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    const char letter = text[++i];
    uint32_t number = 0;
    if (const char plain = PlainEscape(letter); plain != '\0') {
      out += plain;
    } else if (letter == 'x' && ReadDigits(text.substr(i + 1), 2, 16, number) == 2) {
      AppendUtf8(number, out);
      i += 2;
    } else if (const size_t digits = ReadDigits(text.substr(i), 3, 8, number); digits > 0) {
      AppendUtf8(number & 0xff, out);
      i += digits - 1;
    } else {
      (out += '\\') += letter;
    }
  }
  return out;
}

std::string UnescapeRawUnicode(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      AppendUtf8(static_cast<uint8_t>(text[i]), out);
      continue;
    }
    const char letter = text[++i];
    const size_t digits = letter == 'u' ? 4 : letter == 'U' ? 8 : 0;
    uint32_t number = 0;
    if (digits > 0 && ReadDigits(text.substr(i + 1), digits, 16, number) == digits) {
      AppendUtf8(number, out);
      i += digits;
    } else {
      out += '\\';
      AppendUtf8(static_cast<uint8_t>(letter), out);
    }
  }
  return out;
}

}  // namespace glasscase::pickle
