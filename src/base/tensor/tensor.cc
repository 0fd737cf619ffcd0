#include <glasscase/tensor/tensor.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace glasscase {
namespace {

struct TypeRow {
  std::string_view name;
  size_t bytes;
};

// Indexed by the enumeration's value; row 0 is no type.
constexpr std::array<TypeRow, 15> kTypes = {{{"", 0},
                                             {"BOOL", 1},
                                             {"UINT8", 1},
                                             {"UINT16", 2},
                                             {"UINT32", 4},
                                             {"UINT64", 8},
                                             {"INT8", 1},
                                             {"INT16", 2},
                                             {"INT32", 4},
                                             {"INT64", 8},
                                             {"FP16", 2},
                                             {"FP32", 4},
                                             {"FP64", 8},
                                             {"BYTES", 0},
                                             {"BF16", 2}}};

constexpr uint64_t kElementsMax = uint64_t{1} << 40;

Status CheckStrings(std::string_view name, uint64_t count, ByteSpan data) {
  const std::string where = "tensor \"" + Printable(name) + "\": ";
  for (uint64_t i = 0; i < count; ++i) {
    uint32_t length = 0;
    if (data.size() < sizeof length) {
      return Fail(Error::InvalidArgument(where + "ends before BYTES element " + std::to_string(i) + " of " +
                                         std::to_string(count)));
    }
    std::memcpy(&length, data.data(), sizeof length);
    data = data.subspan(sizeof length);
    if (data.size() < length) {
      return Fail(Error::InvalidArgument(where + "BYTES element " + std::to_string(i) + " announces " +
                                         std::to_string(length) + " bytes, " + std::to_string(data.size()) +
                                         " are left"));
    }
    data = data.subspan(length);
  }
  if (!data.empty()) {
    return Fail(Error::InvalidArgument(where + std::to_string(data.size()) + " bytes follow the last of " +
                                       std::to_string(count) + " BYTES elements"));
  }
  return Ok();
}

}  // namespace

std::string_view DataTypeName(DataType type) { return kTypes[static_cast<size_t>(type)].name; }

std::optional<DataType> DataTypeFromName(std::string_view name) {
  for (size_t i = 1; i < kTypes.size(); ++i) {
    if (kTypes[i].name == name) return static_cast<DataType>(i);
  }
  return std::nullopt;
}

bool IsDataType(uint8_t value) { return value > 0 && value < kTypes.size(); }

size_t ElementBytes(DataType type) { return kTypes[static_cast<size_t>(type)].bytes; }

Result<uint64_t> ElementCount(std::span<const int64_t> shape) {
  uint64_t count = 1;
  bool any_zero = false;
  for (const int64_t dimension : shape) {
    if (dimension < 0)
      return Fail(Error::InvalidArgument("shape " + ShapeText(shape) + " has a negative dimension"));
    if (dimension == 0) {
      any_zero = true;
      continue;
    }
    if (static_cast<uint64_t>(dimension) > kElementsMax / count) {
      return Fail(Error::InvalidArgument("shape " + ShapeText(shape) + " has more than 2^40 elements"));
    }
    count *= static_cast<uint64_t>(dimension);
  }
  return any_zero ? 0 : count;
}

std::string ShapeText(std::span<const int64_t> shape) {
  std::string text = "[";
  for (const int64_t dimension : shape) {
    if (text.size() > 1) text += ',';
    text += std::to_string(dimension);
  }
  return text + "]";
}

bool ShapeFits(std::span<const int64_t> spec, std::span<const int64_t> concrete) {
  return std::equal(
      spec.begin(), spec.end(), concrete.begin(), concrete.end(),
      [](int64_t wanted, int64_t given) { return given >= 0 && (wanted < 0 || wanted == given); });
}

Status CheckTensorData(std::string_view name, DataType datatype, std::span<const int64_t> shape,
                       ByteSpan data) {
  GC_TRY(const uint64_t count, ElementCount(shape));
  if (datatype == DataType::kBytes) return CheckStrings(name, count, data);
  const uint64_t wanted = count * ElementBytes(datatype);
  if (wanted != data.size()) {
    return Fail(Error::InvalidArgument("tensor \"" + Printable(name) +
                                       "\": " + std::string(DataTypeName(datatype)) + " of shape " +
                                       ShapeText(shape) + " takes " + std::to_string(wanted) + " bytes, " +
                                       std::to_string(data.size()) + " were sent"));
  }
  if (datatype == DataType::kBool && std::any_of(data.begin(), data.end(), [](uint8_t b) { return b > 1; })) {
    return Fail(Error::InvalidArgument("tensor \"" + Printable(name) + "\": a BOOL byte is neither 0 nor 1"));
  }
  return Ok();
}

}  // namespace glasscase
