#include <glasscase/pickle/names.h>

#include <algorithm>
#include <array>
#include <string_view>

#include <glasscase/archive/zip.h>

#include "machine.h"

namespace glasscase::pickle {
namespace {

constexpr unsigned kTorchPickles =
    5;  // magic number, protocol, machine, the object, the names of its storages
constexpr std::string_view kNumpyMagic = "\x93NUMPY";
constexpr size_t kNumpyHeaderBytes = 12;
// Compressed files that joblib writes and we do not open.
struct Compressed {
  std::string_view magic;
  std::string_view name;
};
constexpr std::array<Compressed, 4> kNotOpened = {{{"BZh", "bz2"},
                                                   {{"\xfd"
                                                     "7zXZ\0",
                                                     6},
                                                    "xz"},
                                                   {{"\x5d\0\0", 3}, "lzma"},
                                                   {"\x04\x22\x4d\x18", "lz4"}}};

bool HasMagic(ByteSpan bytes) { return bytes.size() > 2 && bytes[0] == 0x80 && bytes[1] <= 5; }
bool IsZip(std::string_view text) { return text.starts_with("PK\x03\x04") || text.starts_with("PK\x05\x06"); }
bool IsGzip(std::string_view text) { return text.starts_with("\x1f\x8b"); }
// joblib's zlib: any level.
bool IsZlib(ByteSpan bytes) {
  return bytes.size() > 2 && bytes[0] == 0x78 && (bytes[0] * 256 + bytes[1]) % 31 == 0;
}

bool EndsWith(std::string_view name, std::initializer_list<std::string_view> endings) {
  return std::any_of(endings.begin(), endings.end(),
                     [&](std::string_view ending) { return name.ends_with(ending); });
}

// One pickle, and those behind it in the same file.
void FollowPickles(ByteSpan bytes, Collector& collector) {
  unsigned left = 1;
  while (left > 0) {
    collector.CountPickle();
    Machine machine(bytes, collector);
    const auto end = machine.Run();
    if (!end) return;
    bytes = bytes.subspan(*end);
    --left;
    if (machine.is_torch_magic()) left = kTorchPickles - 1;
    if (left == 0 && HasMagic(bytes)) left = 1;
  }
}

// An array of objects is a header and a pickle; another array holds none.
void FollowArray(ByteSpan bytes, Collector& collector) {
  const std::string_view text = AsText(bytes);
  if (!text.starts_with(kNumpyMagic) || bytes.size() < kNumpyHeaderBytes) return;
  const bool first_version = bytes[6] == 1;
  const size_t start = first_version ? 10 : kNumpyHeaderBytes;
  size_t size = bytes[8] + (size_t{bytes[9]} << 8);
  if (!first_version) size += (size_t{bytes[10]} << 16) + (size_t{bytes[11]} << 24);
  if (size > bytes.size() - start) return collector.AddProblem("the header of an array is cut off");
  const std::string_view header = text.substr(start, size);
  if (header.find("|O") == std::string_view::npos && header.find("'O'") == std::string_view::npos) return;
  FollowPickles(bytes.subspan(start + size), collector);
}

void FollowMember(const archive::Member& member, Collector& collector, uint64_t& budget) {
  const bool is_pickle = EndsWith(member.name, {".pkl", ".pickle", ".joblib"});
  if (!is_pickle && !EndsWith(member.name, {".npy"})) return;
  Bytes inflated;
  ByteSpan bytes = member.stored;
  if (member.deflated) {
    auto made = archive::Inflate(bytes, archive::Compression::kDeflate, budget);
    if (!made)
      return collector.AddProblem(Printable(member.name) +
                                  " cannot be unpacked, or is too large to be followed");
    inflated = std::move(*made);
    bytes = inflated;
  }
  if (bytes.empty()) return collector.AddProblem(Printable(member.name) + " cannot be read");
  if (is_pickle) return FollowPickles(bytes, collector);
  FollowArray(bytes, collector);
}

Names ReadArchive(ByteSpan file) {
  Collector collector;
  uint64_t budget = kInflatedBytesMax;
  const auto members = archive::ReadZip(file);
  if (!members) {
    collector.AddProblem("the archive has no directory that can be read");
  } else {
    for (const archive::Member& member : *members) FollowMember(member, collector, budget);
  }
  return collector.Take();
}

Names ReadCompressed(ByteSpan file) {
  uint64_t budget = kInflatedBytesMax;
  const auto inflated = archive::Inflate(file, archive::Compression::kZlibOrGzip, budget);
  Collector collector;
  if (!inflated) {
    collector.AddProblem("it cannot be unpacked, or is too large to be followed");
  } else if (HasMagic(*inflated)) {
    FollowPickles(*inflated, collector);
  }
  return collector.Take();
}

Names ReadPlain(ByteSpan file) {
  Collector collector;
  FollowPickles(file, collector);
  return collector.Take();
}

}  // namespace

std::string Names::Text(size_t shown) const {
  std::string text;
  const size_t count = std::min(shown, names.size());
  for (size_t i = 0; i < count; ++i) {
    if (i > 0) text += i + 1 == names.size() ? " and " : ", ";
    text += Printable(names[i].Text());
  }
  if (names.size() > count) text += " and " + std::to_string(names.size() - count) + " more";
  return text;
}

bool IsPickle(ByteSpan file) {
  if (HasMagic(file)) return true;
  const Names found = ReadNames(file);
  return found.pickles > 0;
}

Names ReadNames(ByteSpan file) {
  const std::string_view text = AsText(file);
  if (HasMagic(file)) return ReadPlain(file);
  if (IsZip(text)) return ReadArchive(file);
  if (IsGzip(text) || IsZlib(file)) return ReadCompressed(file);
  if (text.starts_with(kNumpyMagic)) {
    Collector collector;
    FollowArray(file, collector);
    return collector.Take();
  }
  for (const Compressed& kind : kNotOpened) {
    if (text.starts_with(kind.magic))
      return {.names = {}, .problems = {"it is compressed with " + std::string(kind.name)}, .pickles = 0};
  }
  Names found = ReadPlain(file);
  // Without magic bytes only what can be read to its end, and makes something, is one.
  if (!found.problems.empty()) return {};
  return found;
}

}  // namespace glasscase::pickle
