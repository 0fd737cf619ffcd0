// What upload clients say in header fields: tus resumable upload protocol 1.0.0, https://tus.io/protocols.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>

namespace glasscase::http {

inline constexpr std::string_view kTusVersion = "1.0.0";
inline constexpr uint64_t kUploadBytesMax = uint64_t{16} << 30;

// A decimal number; InvalidArgument names the field.
Result<uint64_t> ParseUploadNumber(std::string_view field, std::string_view text);

struct UploadChecksum {
  std::string algorithm;  // "sha1" or "sha256"
  Bytes digest;
};
// "sha256 BASE64". InvalidArgument for other algorithms, naming those that are known.
Result<UploadChecksum> ParseUploadChecksum(std::string_view text);

// "key BASE64,key,...": checks all of it and gives the value of one key; nothing when it is not there.
Result<std::optional<std::string>> FindUploadMetadata(std::string_view text, std::string_view key);

// "Thu, 01 Jan 1970 00:00:00 GMT" for "1970-01-01T00:00:00Z"; empty for text that is no such time.
std::string HttpDateOf(const std::string& rfc3339);

}  // namespace glasscase::http
