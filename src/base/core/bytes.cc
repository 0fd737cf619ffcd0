#include <glasscase/core/bytes.h>

#include <algorithm>

namespace glasscase {
namespace {

constexpr char kHexDigits[] = "0123456789abcdef";
constexpr char kBase64Alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

int Base64Value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  if (c == '/') return 63;
  return -1;
}

// The length of the UTF-8 sequence that starts `rest`, or 0 when it is ill-formed (RFC 3629).
size_t Utf8SequenceLength(ByteSpan rest) {
  const uint8_t first = rest[0];
  if (first < 0x80) return 1;
  size_t length = 0;
  uint32_t value = 0;
  uint32_t lowest = 0;
  if ((first & 0xE0) == 0xC0) {
    length = 2, value = first & 0x1F, lowest = 0x80;
  } else if ((first & 0xF0) == 0xE0) {
    length = 3, value = first & 0x0F, lowest = 0x800;
  } else if ((first & 0xF8) == 0xF0) {
    length = 4, value = first & 0x07, lowest = 0x10000;
  } else {
    return 0;
  }
  if (rest.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((rest[i] & 0xC0) != 0x80) return 0;
    value = value << 6 | (rest[i] & 0x3F);
  }
  const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
  return value < lowest || value > 0x10FFFF || surrogate ? 0 : length;
}

}  // namespace

std::string ToHex(ByteSpan bytes) {
  std::string text(bytes.size() * 2, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) {
    text[2 * i] = kHexDigits[bytes[i] >> 4];
    text[2 * i + 1] = kHexDigits[bytes[i] & 15];
  }
  return text;
}

Result<Bytes> FromHex(std::string_view text) {
  if (text.size() % 2 != 0) return Fail(Error::InvalidArgument("odd number of hexadecimal digits"));
  Bytes bytes(text.size() / 2);
  for (size_t i = 0; i < bytes.size(); ++i) {
    const int high = HexValue(text[2 * i]);
    const int low = HexValue(text[2 * i + 1]);
    if (high < 0 || low < 0)
      return Fail(Error::InvalidArgument("not a hexadecimal digit: " + Printable(text)));
    bytes[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return bytes;
}

Result<Digest> DigestFromHex(std::string_view text) {
  GC_TRY(const Bytes bytes, FromHex(text));
  Digest digest;
  if (bytes.size() != digest.size()) {
    return Fail(Error::InvalidArgument("a SHA-256 digest has 64 hexadecimal digits, not " +
                                       std::to_string(text.size())));
  }
  std::copy(bytes.begin(), bytes.end(), digest.begin());
  return digest;
}

std::string ToBase64(ByteSpan bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t count = std::min<size_t>(3, bytes.size() - i);
    uint32_t group = bytes[i] << 16;
    if (count > 1) group |= bytes[i + 1] << 8;
    if (count > 2) group |= bytes[i + 2];
    text += kBase64Alphabet[group >> 18];
    text += kBase64Alphabet[group >> 12 & 63];
    text += count > 1 ? kBase64Alphabet[group >> 6 & 63] : '=';
    text += count > 2 ? kBase64Alphabet[group & 63] : '=';
  }
  return text;
}

Result<Bytes> FromBase64(std::string_view text) {
  if (text.size() % 4 != 0) return Fail(Error::InvalidArgument("base64 length is not a multiple of four"));
  size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  Bytes bytes;
  bytes.reserve(text.size() / 4 * 3);
  uint32_t group = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool is_padding = i >= text.size() - padding;
    const int value = is_padding ? 0 : Base64Value(text[i]);
    if (value < 0)
      return Fail(Error::InvalidArgument("not a base64 character at offset " + std::to_string(i)));
    group = group << 6 | static_cast<uint32_t>(value);
    if (i % 4 != 3) continue;
    bytes.push_back(static_cast<uint8_t>(group >> 16));
    bytes.push_back(static_cast<uint8_t>(group >> 8));
    bytes.push_back(static_cast<uint8_t>(group));
    group = 0;
  }
  for (size_t i = 0; i < padding; ++i) {
    if (bytes.back() != 0) return Fail(Error::InvalidArgument("base64 padding bits are not zero"));
    bytes.pop_back();
  }
  return bytes;
}

std::string Printable(std::string_view text, size_t max) {
  std::string out;
  for (const char c : text) {
    if (out.size() >= max) return out + "...";
    const auto byte = static_cast<uint8_t>(c);
    if (byte >= 0x20 && byte < 0x7F && c != '"' && c != '\\') {
      out += c;
    } else {
      out += "\\x";
      out += kHexDigits[byte >> 4];
      out += kHexDigits[byte & 15];
    }
  }
  return out;
}

bool IsUtf8(std::string_view text) {
  ByteSpan rest = AsBytes(text);
  while (!rest.empty()) {
    const size_t length = Utf8SequenceLength(rest);
    if (length == 0) return false;
    rest = rest.subspan(length);
  }
  return true;
}

}  // namespace glasscase
