// Element types, shapes and the description of a model's inputs and outputs, in the words of the Open
// Inference Protocol v2 (datatype names, row-major order, -1 for a dimension that varies).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>

namespace glasscase {

// The values are stored and sent: never renumber.
enum class DataType : uint8_t {
  kBool = 1,
  kUint8 = 2,
  kUint16 = 3,
  kUint32 = 4,
  kUint64 = 5,
  kInt8 = 6,
  kInt16 = 7,
  kInt32 = 8,
  kInt64 = 9,
  kFp16 = 10,
  kFp32 = 11,
  kFp64 = 12,
  kBytes = 13,  // strings: each element is a little-endian u32 length and that many bytes
  kBf16 = 14,
};

inline constexpr size_t kRankMax = 16;
inline constexpr size_t kTensorNameBytesMax = 255;

// "FP32", "BYTES", ... as OIP spells them.
std::string_view DataTypeName(DataType type);
std::optional<DataType> DataTypeFromName(std::string_view name);
// True for the values of the enumeration; what comes from another process is checked with it.
bool IsDataType(uint8_t value);
// Bytes of one element; 0 for kBytes, whose elements differ in length.
size_t ElementBytes(DataType type);

// The product of `shape`; an error when a dimension is negative or the product passes 2^40.
Result<uint64_t> ElementCount(std::span<const int64_t> shape);
// "[-1,64]"
std::string ShapeText(std::span<const int64_t> shape);

struct TensorSpec {
  std::string name;
  DataType datatype = DataType::kFp32;
  std::vector<int64_t> shape;  // -1: varies

  bool operator==(const TensorSpec&) const = default;
};

// Whether a tensor of this concrete shape fits the spec: same rank, equal where the spec is not -1.
bool ShapeFits(std::span<const int64_t> spec, std::span<const int64_t> concrete);

// An owned tensor: row-major little-endian elements (kBytes: length-prefixed elements).
struct Tensor {
  std::string name;
  DataType datatype = DataType::kFp32;
  std::vector<int64_t> shape;
  Bytes data;
};

// Checks that `data` is exactly what datatype and shape announce (for kBytes: walks the elements; for kBool:
// every byte is 0 or 1). Errors name `name` and both sizes.
Status CheckTensorData(std::string_view name, DataType datatype, std::span<const int64_t> shape,
                       ByteSpan data);

}  // namespace glasscase
