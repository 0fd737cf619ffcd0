// What a ZIP archive holds (APPNOTE.TXT 6.3.10, sections 4.3.12 and 4.3.16), and bytes that zlib compressed.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include <glasscase/core/bytes.h>

namespace glasscase::archive {

struct Member {
  std::string_view name;
  ByteSpan stored;  // as it lies in the file
  bool deflated = false;
};

// The members of a zip file by its directory; nothing when it has none that can be read. Names and bytes are
// those of `file`. A member that is neither stored nor deflated, or encrypted, has no bytes.
std::optional<std::vector<Member>> ReadZip(ByteSpan file);

enum class Compression : int { kDeflate = -15, kZlibOrGzip = 47 };  // zlib's window bits

// Nothing when the bytes are damaged or become more than `budget`; takes what they are from it.
std::optional<Bytes> Inflate(ByteSpan bytes, Compression kind, uint64_t& budget);

}  // namespace glasscase::archive
