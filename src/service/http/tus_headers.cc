#include "tus_headers.h"

#include <algorithm>
#include <charconv>
#include <ctime>
#include <set>

#include <glasscase/crypto/checksum.h>

namespace glasscase::http {
namespace {

// The part of `text` up to the next `separator`; `text` moves behind it.
std::string_view TakePart(std::string_view& text, char separator) {
  const size_t end = text.find(separator);
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return part;
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

Error BadMetadata(std::string_view why, std::string_view pair) {
  return Error::InvalidArgument("Upload-Metadata: " + std::string(why) + ": \"" + Printable(pair) + "\"");
}

bool IsKey(std::string_view key) {
  return !key.empty() &&
         std::all_of(key.begin(), key.end(), [](char c) { return c > 0x20 && c < 0x7F && c != ','; });
}

}  // namespace

Result<uint64_t> ParseUploadNumber(std::string_view field, std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty()) return Fail(Error::InvalidArgument("the field " + std::string(field) + " is missing"));
  if (error != std::errc() || end != text.data() + text.size() || number > INT64_MAX)
    return Fail(Error::InvalidArgument(std::string(field) + " must be a whole number of bytes: \"" +
                                       Printable(text) + "\""));
  return number;
}

Result<UploadChecksum> ParseUploadChecksum(std::string_view text) {
  const auto bad = [&](std::string_view why) {
    return Fail(
        Error::InvalidArgument("Upload-Checksum " + std::string(why) + ": \"" + Printable(text) + "\""));
  };
  std::string_view rest = text;
  const std::string_view algorithm = TakePart(rest, ' ');
  const auto kind = ChecksumKindFromName(algorithm);
  if (!kind) return bad("must begin with sha1 or sha256, a space and the digest in base64");
  auto digest = FromBase64(rest);
  if (!digest) return bad("has a digest that is not base64");
  if (digest->size() != ChecksumBytes(*kind)) return bad("has a digest of the wrong length");
  return UploadChecksum{.algorithm = std::string(algorithm), .digest = std::move(*digest)};
}

Result<std::optional<std::string>> FindUploadMetadata(std::string_view text, std::string_view key) {
  std::optional<std::string> found;
  std::set<std::string_view> seen;
  while (!text.empty()) {
    const std::string_view pair = Trim(TakePart(text, ','));
    std::string_view encoded = pair;
    const std::string_view name = TakePart(encoded, ' ');
    if (!IsKey(name)) return Fail(BadMetadata("a key is empty or not ASCII", pair));
    if (!seen.insert(name).second) return Fail(BadMetadata("a key is there twice", name));
    const auto value = FromBase64(encoded);
    if (!value) return Fail(BadMetadata("a value is not base64", pair));
    if (name == key) found = std::string(AsText(*value));
  }
  return found;
}

std::string HttpDateOf(const std::string& rfc3339) {
  tm parts{};
  const char* const end = ::strptime(rfc3339.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  if (end == nullptr || *end != '\0') return {};
  char text[64];
  return {text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts)};
}

}  // namespace glasscase::http
