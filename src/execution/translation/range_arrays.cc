// Arrays of NumPy: NPY (numpy.lib.format, versions 1 to 3) and NPZ, an archive of them.
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <optional>

#include <glasscase/archive/zip.h>

#include "range_readers.h"

namespace glasscase::translation {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::string_view kZip = "PK\x03\x04";
constexpr uint64_t kInflatedBytesMax = uint64_t{512} << 20;
constexpr size_t kDimensionsMax = 32;

struct Array {
  char kind = 'f';  // as NumPy has it: float, signed, unsigned, bool
  size_t bytes = 4;
  bool by_columns = false;
  std::vector<uint64_t> shape{};
  ByteSpan data{};

  uint64_t rows() const { return shape[0]; }
  // Numbers in a row. The shape was checked against the data.
  uint64_t width() const {
    uint64_t width = 1;
    for (size_t i = 1; i < shape.size(); ++i) width *= shape[i];
    return width;
  }
};

// What follows a key in the head, a Python dictionary such as
// {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }.
std::string_view After(std::string_view head, std::string_view key) {
  const size_t at = head.find(key);
  if (at == std::string_view::npos) return {};
  const size_t value = head.find_first_not_of(" :", at + key.size());
  return value == std::string_view::npos ? std::string_view() : head.substr(value);
}

std::optional<std::vector<uint64_t>> ShapeIn(std::string_view text) {
  if (!text.starts_with('(')) return std::nullopt;
  std::vector<uint64_t> shape;
  text.remove_prefix(1);
  while (!text.starts_with(')')) {
    uint64_t size = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), size);
    if (error != std::errc() || shape.size() == kDimensionsMax) return std::nullopt;
    shape.push_back(size);
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    while (text.starts_with(',') || text.starts_with(' ')) text.remove_prefix(1);
    if (text.empty()) return std::nullopt;
  }
  return shape;
}

bool IsSupported(char kind, size_t bytes) {
  if (kind == 'b') return bytes == 1;
  if (kind == 'f') return bytes == 2 || bytes == 4 || bytes == 8;
  return (kind == 'i' || kind == 'u') && bytes <= 8 && std::has_single_bit(bytes);
}

// Exactly as many bytes as the shape says.
bool FitsData(const Array& array) {
  uint64_t left = array.data.size() / array.bytes;
  if (std::ranges::count(array.shape, 0U) > 0) return true;
  for (const uint64_t size : array.shape) {
    if (size > left) return false;
    left /= size;
  }
  return array.rows() * array.width() * array.bytes <= array.data.size();
}

Result<Array> ReadArray(ByteSpan file) {
  const auto broken = [](std::string_view what) { return Fail(Error::InvalidArgument(std::string(what))); };
  const size_t before = kMagic.size() + 2;  // the version
  const size_t width = file.size() > before && file[kMagic.size()] == 1 ? 2 : 4;
  if (file.size() < before + width) return broken("the head of its array is cut off");
  uint32_t length = 0;
  std::memcpy(&length, file.data() + before, width);
  if (length > file.size() - before - width) return broken("the head of its array is cut off");
  const std::string_view head = AsText(file.subspan(before + width, length));
  const std::string_view type = After(head, "'descr'");
  const bool plain = type.size() > 4 && type[0] == '\'' && type[4] == '\'' &&
                     (type[1] == '<' || type[1] == '|') && type[3] >= '1' && type[3] <= '8';
  Array array{.kind = plain ? type[2] : '?', .bytes = plain ? static_cast<size_t>(type[3] - '0') : 0};
  if (!IsSupported(array.kind, array.bytes)) return broken("its array has no little-endian numbers");
  const auto shape = ShapeIn(After(head, "'shape'"));
  if (!shape || shape->empty()) return broken("its array has no shape with rows");
  array.shape = *shape;
  array.data = file.subspan(before + width + length);
  array.by_columns = After(head, "'fortran_order'").starts_with("True");
  if (!FitsData(array)) return broken("its array is cut off");
  if (array.by_columns && array.shape.size() > 2) return broken("its array is in the order of Fortran");
  return array;
}

double Half(uint16_t bits) {
  const int exponent = (bits >> 10) & 31;
  const double fraction = bits & 1023;
  const double sign = (bits & 0x8000) != 0 ? -1 : 1;
  if (exponent == 31) return std::nan("");
  return sign * (exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25));
}

template <typename Number>
double Read(const uint8_t* bytes) {
  Number number;
  std::memcpy(&number, bytes, sizeof number);
  return static_cast<double>(number);
}

double NumberAt(const Array& array, const uint8_t* bytes) {
  if (array.kind == 'f') {
    if (array.bytes == 4) return Read<float>(bytes);
    if (array.bytes == 8) return Read<double>(bytes);
    uint16_t bits = 0;
    std::memcpy(&bits, bytes, sizeof bits);
    return Half(bits);
  }
  const bool is_signed = array.kind == 'i';
  switch (array.bytes) {
    case 1: return is_signed ? Read<int8_t>(bytes) : Read<uint8_t>(bytes);
    case 2: return is_signed ? Read<int16_t>(bytes) : Read<uint16_t>(bytes);
    case 4: return is_signed ? Read<int32_t>(bytes) : Read<uint32_t>(bytes);
    default: return is_signed ? Read<int64_t>(bytes) : Read<uint64_t>(bytes);
  }
}

// Widens the ranges of the first columns by the array's.
void AddArray(const Array& array, Ranges& ranges) {
  const uint64_t width = array.width();
  for (uint64_t row = 0; row < array.rows(); ++row) {
    for (uint64_t column = 0; column < ranges.size(); ++column) {
      const uint64_t place = array.by_columns ? column * array.rows() + row : row * width + column;
      AddNumber(ranges[column], NumberAt(array, array.data.data() + place * array.bytes));
    }
  }
}

// False when it has another width, or is a list: targets are.
bool AddIfWide(const Array& array, uint64_t columns, Ranges& ranges) {
  if (array.shape.size() < 2 || array.rows() == 0 || array.width() != columns) return false;
  AddArray(array, ranges);
  return true;
}

Result<Ranges> ReadArchive(ByteSpan file, uint32_t features) {
  const auto members = archive::ReadZip(file);
  if (!members) return Fail(Error::InvalidArgument("its archive has no directory that can be read"));
  // With the target, only where nothing is without.
  for (const uint64_t columns : {uint64_t{features}, uint64_t{features} + 1}) {
    Ranges ranges(features);
    bool found = false;
    uint64_t budget = kInflatedBytesMax;
    for (const archive::Member& member : *members) {
      std::optional<Bytes> inflated;
      if (member.deflated) inflated = archive::Inflate(member.stored, archive::Compression::kDeflate, budget);
      if (member.deflated && !inflated)
        return Fail(Error::InvalidArgument("its archive is damaged, or too large when it is inflated"));
      const ByteSpan content = inflated ? ByteSpan(*inflated) : member.stored;
      if (!AsText(content).starts_with(kMagic)) continue;
      const auto array = ReadArray(content);
      if (array && AddIfWide(*array, columns, ranges)) found = true;
    }
    if (found) return ranges;
  }
  return Fail(Error::InvalidArgument("none of its arrays has " + std::to_string(features) +
                                     " numbers a row, as many as the model takes"));
}

}  // namespace

bool IsArrayFile(ByteSpan file) {
  const std::string_view text = AsText(file);
  return text.starts_with(kMagic) || text.starts_with(kZip);
}

Result<Ranges> ReadArrayRanges(ByteSpan file, uint32_t features) {
  if (AsText(file).starts_with(kZip)) return ReadArchive(file, features);
  GC_TRY(const Array array, ReadArray(file));
  Ranges ranges(features);
  if (AddIfWide(array, features, ranges) || AddIfWide(array, uint64_t{features} + 1, ranges)) return ranges;
  return Fail(OtherWidth(std::to_string(array.shape.size() < 2 ? 1 : array.width()), features));
}

}  // namespace glasscase::translation
