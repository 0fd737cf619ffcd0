#include <glasscase/archive/zip.h>

#include <algorithm>
#include <array>

#include <zlib.h>

namespace glasscase::archive {
namespace {

constexpr uint32_t kEndSignature = 0x06054b50;
constexpr uint32_t kEntrySignature = 0x02014b50;
constexpr uint32_t kLocalSignature = 0x04034b50;
constexpr size_t kEndBytes = 22;
constexpr size_t kEntryBytes = 46;
constexpr size_t kLocalBytes = 30;
constexpr size_t kCommentBytesMax = 0xffff;
constexpr size_t kMembersMax = 65'535;

uint64_t Number(ByteSpan bytes, size_t at, size_t size) {
  uint64_t number = 0;
  for (size_t i = size; i-- > 0;) number = number << 8 | bytes[at + i];
  return number;
}
uint64_t Two(ByteSpan bytes, size_t at) { return Number(bytes, at, 2); }
uint64_t Four(ByteSpan bytes, size_t at) { return Number(bytes, at, 4); }

std::optional<size_t> FindEnd(ByteSpan file) {
  if (file.size() < kEndBytes) return std::nullopt;
  const size_t last = file.size() - kEndBytes;
  const size_t first = last - std::min(last, kCommentBytesMax);
  for (size_t at = last + 1; at-- > first;) {
    if (Four(file, at) == kEndSignature) return at;
  }
  return std::nullopt;
}

// The member's bytes lie behind its local header, whose variable part has sizes of its own.
ByteSpan StoredBytes(ByteSpan file, uint64_t local, uint64_t size) {
  if (local > file.size() || file.size() - local < kLocalBytes || Four(file, local) != kLocalSignature)
    return {};
  const uint64_t begin = local + kLocalBytes + Two(file, local + 26) + Two(file, local + 28);
  if (begin > file.size() || size > file.size() - begin) return {};
  return file.subspan(begin, size);
}

}  // namespace

std::optional<std::vector<Member>> ReadZip(ByteSpan file) {
  const std::optional<size_t> end = FindEnd(file);
  if (!end) return std::nullopt;
  std::vector<Member> members;
  uint64_t at = Four(file, *end + 16);
  const uint64_t count = std::min<uint64_t>(Two(file, *end + 10), kMembersMax);
  for (uint64_t i = 0; i < count; ++i) {
    if (at > file.size() || file.size() - at < kEntryBytes || Four(file, at) != kEntrySignature)
      return std::nullopt;
    const uint64_t name = Two(file, at + 28);
    const uint64_t next = at + kEntryBytes + name + Two(file, at + 30) + Two(file, at + 32);
    if (next > file.size()) return std::nullopt;
    const bool encrypted = (Two(file, at + 8) & 1) != 0;
    const uint64_t method = Two(file, at + 10);
    Member member{
        .name = AsText(file.subspan(at + kEntryBytes, name)), .stored = {}, .deflated = method == Z_DEFLATED};
    if (!encrypted && (method == 0 || method == Z_DEFLATED))
      member.stored = StoredBytes(file, Four(file, at + 42), Four(file, at + 20));
    members.push_back(member);
    at = next;
  }
  return members;
}

std::optional<Bytes> Inflate(ByteSpan bytes, Compression kind, uint64_t& budget) {
  z_stream stream{};
  if (inflateInit2(&stream, static_cast<int>(kind)) != Z_OK) return std::nullopt;
  stream.next_in = const_cast<Bytef*>(bytes.data());
  constexpr uint64_t kInputMax = uint64_t{1} << 31;
  stream.avail_in = static_cast<uInt>(std::min<uint64_t>(bytes.size(), kInputMax));
  Bytes out;
  std::array<uint8_t, 1 << 16> piece{};
  int status = Z_OK;
  while (status == Z_OK) {
    stream.next_out = piece.data();
    stream.avail_out = piece.size();
    status = inflate(&stream, Z_NO_FLUSH);
    const size_t got = piece.size() - stream.avail_out;
    if (out.size() + got > budget || (status == Z_OK && got == 0))
      status = Z_DATA_ERROR;
    else
      out.insert(out.end(), piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(got));
  }
  inflateEnd(&stream);
  if (status != Z_STREAM_END) return std::nullopt;
  budget -= out.size();
  return out;
}

}  // namespace glasscase::archive
