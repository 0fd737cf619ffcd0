// ZIP archives by their central directory (APPNOTE.TXT 6.3.10, sections 4.3.12 and 4.3.16): names and
// contents, not times, order and attributes.
#include <cstring>
#include <optional>

#include "readers.h"

namespace glasscase::comparison {
namespace {

constexpr std::string_view kEndSignature = "PK\x05\x06";
constexpr std::string_view kCentralSignature = "PK\x01\x02";
constexpr std::string_view kLocalSignature = "PK\x03\x04";
constexpr size_t kEndBytes = 22;
constexpr size_t kCentralBytes = 46;
constexpr size_t kLocalBytes = 30;
constexpr size_t kCommentMax = 65'535;
constexpr uint16_t kStored = 0;
constexpr uint32_t kIn64 = 0xFFFFFFFF;  // the number stands in a ZIP64 field

Error Broken(std::string_view what) {
  return Error::InvalidArgument("the archive is broken: " + std::string(what));
}

template <typename Number>
Number At(ByteSpan bytes, size_t at) {
  Number number = 0;
  std::memcpy(&number, bytes.data() + at, sizeof number);
  return number;
}

struct Entry {
  std::string name;
  uint16_t method = 0;
  uint32_t bytes = 0;  // as they lie there
  uint32_t local = 0;  // where its local header is
};

Result<size_t> FindEnd(ByteSpan file) {
  const std::string_view text = AsText(file);
  const size_t at = text.rfind(kEndSignature);
  if (at == std::string_view::npos || file.size() - at < kEndBytes ||
      file.size() - at > kEndBytes + kCommentMax)
    return Fail(Broken("it has no end"));
  return at;
}

Result<ByteSpan> ContentOf(const Entry& entry, ByteSpan file) {
  if (entry.local > file.size() || file.size() - entry.local < kLocalBytes ||
      !AsText(file.subspan(entry.local)).starts_with(kLocalSignature))
    return Fail(Broken("an entry is not where it should be"));
  const size_t begin =
      entry.local + kLocalBytes + At<uint16_t>(file, entry.local + 26) + At<uint16_t>(file, entry.local + 28);
  if (begin > file.size() || entry.bytes > file.size() - begin) return Fail(Broken("an entry is cut off"));
  return file.subspan(begin, entry.bytes);
}

Status ReadEntry(const Entry& entry, ByteSpan file, PartList& parts) {
  GC_TRY(const ByteSpan content, ContentOf(entry, file));
  if (entry.method == kStored && AsText(content).starts_with(kNpyMagic))
    return ReadNpy(content, entry.name, parts);
  return parts.AddText(entry.name, std::to_string(entry.method) + " " + std::string(AsText(content)));
}

}  // namespace

Status ReadZip(ByteSpan file, PartList& parts) {
  GC_TRY(const size_t end, FindEnd(file));
  const size_t count = At<uint16_t>(file, end + 10);
  size_t at = At<uint32_t>(file, end + 16);
  if (at == kIn64) return Fail(Error::Unimplemented("ZIP64 archives are not read"));
  for (size_t i = 0; i < count; ++i) {
    if (at > end || end - at < kCentralBytes || !AsText(file.subspan(at)).starts_with(kCentralSignature))
      return Fail(Broken("its directory is cut off"));
    const size_t name_bytes = At<uint16_t>(file, at + 28);
    const size_t more = size_t{At<uint16_t>(file, at + 30)} + At<uint16_t>(file, at + 32);
    if (end - at < kCentralBytes + name_bytes + more) return Fail(Broken("its directory is cut off"));
    const Entry entry{.name = std::string(AsText(file.subspan(at + kCentralBytes, name_bytes))),
                      .method = At<uint16_t>(file, at + 10),
                      .bytes = At<uint32_t>(file, at + 20),
                      .local = At<uint32_t>(file, at + 42)};
    if (entry.bytes == kIn64 || entry.local == kIn64)
      return Fail(Error::Unimplemented("ZIP64 archives are not read"));
    GC_TRY_VOID(ReadEntry(entry, file, parts));
    at += kCentralBytes + name_bytes + more;
  }
  return Ok();
}

}  // namespace glasscase::comparison
