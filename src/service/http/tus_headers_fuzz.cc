// Fields of upload clients, and of downloads: whatever they hold, values are whole or refused.
#include <string_view>

#include "range.h"
#include "tus_headers.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace glasscase;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto number = http::ParseUploadNumber("Upload-Offset", text);
  if (number) GC_CHECK(*number <= INT64_MAX);
  const auto checksum = http::ParseUploadChecksum(text);
  if (checksum) GC_CHECK(checksum->digest.size() == (checksum->algorithm == "sha1" ? 20u : 32u));
  (void)http::FindUploadMetadata(text, "sha256");
  (void)http::HttpDateOf(std::string(text));
  for (const uint64_t bytes : {uint64_t{0}, uint64_t{10}, UINT64_MAX}) {
    const http::ByteRange range = http::ParseRange(text, bytes);
    if (range.kind == http::ByteRange::Kind::kPart) GC_CHECK(range.begin < range.end && range.end <= bytes);
  }
  (void)http::MatchesEntityTag(text, "\"tag\"");
  return 0;
}
