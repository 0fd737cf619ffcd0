#include "tensors.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>

#include "external_path.h"

namespace glasscase::onnx {
namespace {

static_assert(std::endian::native == std::endian::little, "ONNX stores raw data in little-endian order");

constexpr int kTensorRankMax = 64;
constexpr uint64_t kElementsMax = uint64_t{1} << 48;

// Where the elements of a data type lie when they are neither raw nor external.
enum class Place : uint8_t { kFloat, kInt32, kInt64, kUint64, kDouble, kString };

struct StoredType {
  std::string_view name;
  unsigned bits;  // per element in raw and external data; 0: only as text
  Place place;
  unsigned numbers = 1;     // typed numbers per element
  unsigned per_number = 1;  // elements per typed number
};

// Indexed by TensorProto.DataType.
constexpr StoredType kStoredTypes[] = {
    {"UNDEFINED", 0, Place::kString},     {"FLOAT", 32, Place::kFloat},
    {"UINT8", 8, Place::kInt32},          {"INT8", 8, Place::kInt32},
    {"UINT16", 16, Place::kInt32},        {"INT16", 16, Place::kInt32},
    {"INT32", 32, Place::kInt32},         {"INT64", 64, Place::kInt64},
    {"STRING", 0, Place::kString},        {"BOOL", 8, Place::kInt32},
    {"FLOAT16", 16, Place::kInt32},       {"DOUBLE", 64, Place::kDouble},
    {"UINT32", 32, Place::kUint64},       {"UINT64", 64, Place::kUint64},
    {"COMPLEX64", 64, Place::kFloat, 2},  {"COMPLEX128", 128, Place::kDouble, 2},
    {"BFLOAT16", 16, Place::kInt32},      {"FLOAT8E4M3FN", 8, Place::kInt32},
    {"FLOAT8E4M3FNUZ", 8, Place::kInt32}, {"FLOAT8E5M2", 8, Place::kInt32},
    {"FLOAT8E5M2FNUZ", 8, Place::kInt32}, {"UINT4", 4, Place::kInt32, 1, 2},
    {"INT4", 4, Place::kInt32, 1, 2},     {"FLOAT4E2M1", 4, Place::kInt32, 1, 2},
    {"FLOAT8E8M0", 8, Place::kInt32},     {"UINT2", 2, Place::kInt32, 1, 4},
    {"INT2", 2, Place::kInt32, 1, 4},
};

const StoredType* FindStoredType(int32_t data_type) {
  const bool known = data_type > 0 && static_cast<size_t>(data_type) < std::size(kStoredTypes);
  return known ? &kStoredTypes[data_type] : nullptr;
}

uint64_t StoredBytes(const StoredType& type, uint64_t elements) { return (elements * type.bits + 7) / 8; }

std::string DimsText(const ::google::protobuf::RepeatedField<int64_t>& dims) {
  std::string text = "[";
  for (const int64_t dim : dims) text += (text.size() > 1 ? "," : "") + std::to_string(dim);
  return text + "]";
}

uint64_t CountAt(const TensorProto& tensor, Place place) {
  switch (place) {
    case Place::kFloat: return static_cast<uint64_t>(tensor.float_data_size());
    case Place::kInt32: return static_cast<uint64_t>(tensor.int32_data_size());
    case Place::kInt64: return static_cast<uint64_t>(tensor.int64_data_size());
    case Place::kUint64: return static_cast<uint64_t>(tensor.uint64_data_size());
    case Place::kDouble: return static_cast<uint64_t>(tensor.double_data_size());
    case Place::kString: return static_cast<uint64_t>(tensor.string_data_size());
  }
  return 0;
}

uint64_t CountOfTypedData(const TensorProto& tensor) {
  uint64_t count = 0;
  for (const Place place :
       {Place::kFloat, Place::kInt32, Place::kInt64, Place::kUint64, Place::kDouble, Place::kString}) {
    count += CountAt(tensor, place);
  }
  return count;
}

Status CheckTypedData(const TensorProto& tensor, const StoredType& type, uint64_t elements) {
  const uint64_t wanted = (elements * type.numbers + type.per_number - 1) / type.per_number;
  const uint64_t present = CountAt(tensor, type.place);
  if (present == wanted && CountOfTypedData(tensor) == present) return Ok();
  return Refuse("dims " + DimsText(tensor.dims()) + " of " + std::string(type.name) + " announce " +
                std::to_string(elements) + " elements, the file holds " +
                std::to_string(CountOfTypedData(tensor)));
}

Result<uint64_t> ReadDecimal(std::string_view key, const std::string& text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || value > kElementsMax) {
    return Refuse("external_data: " + std::string(key) + " is not a number of bytes: " + Quoted(text));
  }
  return value;
}

template <typename Number>
std::vector<int64_t> FromRaw(ByteSpan bytes) {
  std::vector<int64_t> values(bytes.size() / sizeof(Number));
  for (size_t i = 0; i < values.size(); ++i) {
    Number number;
    std::memcpy(&number, bytes.data() + i * sizeof number, sizeof number);
    values[i] = static_cast<int64_t>(number);
  }
  return values;
}

}  // namespace

Result<uint64_t> CountElements(const ::google::protobuf::RepeatedField<int64_t>& dims) {
  if (dims.size() > kTensorRankMax) return Refuse("dims: " + std::to_string(dims.size()) + " dimensions");
  uint64_t count = 1;
  bool any_zero = false;
  for (const int64_t dim : dims) {
    if (dim < 0) return Refuse("dims " + DimsText(dims) + ": a dimension is negative");
    if (dim == 0) {
      any_zero = true;
      continue;
    }
    if (static_cast<uint64_t>(dim) > kElementsMax / count) {
      return Refuse("dims " + DimsText(dims) + ": more than 2^48 elements");
    }
    count *= static_cast<uint64_t>(dim);
  }
  return any_zero ? 0 : count;
}

TensorChecker::TensorChecker(std::span<const ExternalFile> files, const Limits& limits)
    : external_bytes_max_(limits.total_bytes_max), dense_bytes_max_(limits.total_bytes_max) {
  for (const ExternalFile& file : files) files_.emplace(file.path, file.bytes);
}

Status TensorChecker::Check(const TensorProto& tensor) {
  const StoredType* type = FindStoredType(tensor.data_type());
  if (type == nullptr) return Refuse("data_type: " + std::to_string(tensor.data_type()) + " is not known");
  if (tensor.has_segment()) return Refuse("segment: tensors in segments are not supported");
  GC_TRY(const uint64_t elements, CountElements(tensor.dims()));

  if (tensor.data_location() == TensorProto::EXTERNAL) {
    if (type->bits == 0) return Refuse("data_location: strings cannot lie in an external file");
    if (tensor.has_raw_data() || CountOfTypedData(tensor) != 0) {
      return Refuse("data_location: the tensor has data both in the model and in an external file");
    }
    return CheckExternal(tensor, StoredBytes(*type, elements));
  }
  if (tensor.external_data_size() != 0)
    return Refuse("external_data: given, but data_location is not EXTERNAL");
  if (!tensor.has_raw_data()) return CheckTypedData(tensor, *type, elements);

  if (type->bits == 0) return Refuse("raw_data: strings have no raw form");
  if (CountOfTypedData(tensor) != 0) return Refuse("raw_data: the tensor has typed data too");
  const uint64_t wanted = StoredBytes(*type, elements);
  if (tensor.raw_data().size() == wanted) return Ok();
  return Refuse("dims " + DimsText(tensor.dims()) + " of " + std::string(type->name) + " announce " +
                std::to_string(wanted) + " bytes, raw_data has " + std::to_string(tensor.raw_data().size()));
}

Status TensorChecker::CheckExternal(const TensorProto& tensor, uint64_t wanted_bytes) {
  GC_TRY(const External external, ReadExternal(tensor));
  GC_TRY(const ByteSpan bytes, FindExternal(tensor));
  if (bytes.size() != wanted_bytes) {
    return Refuse("external_data: dims " + DimsText(tensor.dims()) + " announce " +
                  std::to_string(wanted_bytes) + " bytes, " + Quoted(external.location) + " gives " +
                  std::to_string(bytes.size()));
  }
  // One part of a file named by a thousand tensors would be a thousand copies in memory.
  external_bytes_ += bytes.size();
  if (external_bytes_ > external_bytes_max_) {
    return Refuse("external_data: the tensors refer to more than " + std::to_string(external_bytes_max_) +
                  " bytes");
  }
  referred_.insert(files_.find(external.location)->first);
  return Ok();
}

Result<TensorChecker::External> TensorChecker::ReadExternal(const TensorProto& tensor) {
  External external;
  std::vector<std::string_view> seen;
  for (const auto& entry : tensor.external_data()) {
    const std::string& key = entry.key();
    if (std::find(seen.begin(), seen.end(), key) != seen.end()) {
      return Refuse("external_data: " + Quoted(key) + " is given twice");
    }
    seen.push_back(key);
    if (key == "location") {
      external.location = entry.value();
    } else if (key == "offset") {
      GC_TRY(external.offset, ReadDecimal(key, entry.value()));
    } else if (key == "length") {
      GC_TRY(external.length, ReadDecimal(key, entry.value()));
      external.has_length = true;
    } else if (key != "checksum") {
      return Refuse("external_data: " + Quoted(key) +
                    " is not a key of the format (location, offset, length, checksum)");
    }
  }
  GC_TRY_VOID(CheckExternalPath(external.location));
  return external;
}

Result<ByteSpan> TensorChecker::FindExternal(const TensorProto& tensor) const {
  GC_TRY(const External external, ReadExternal(tensor));
  const auto file = files_.find(external.location);
  if (file == files_.end()) {
    return Refuse("external_data: the file " + Quoted(external.location) +
                  " did not come with the model; publish the folder that holds both");
  }
  const ByteSpan bytes = file->second;
  const uint64_t rest = external.offset <= bytes.size() ? bytes.size() - external.offset : 0;
  const uint64_t length = external.has_length ? external.length : rest;
  if (external.offset > bytes.size() || length > rest) {
    return Refuse("external_data: offset " + std::to_string(external.offset) + " and length " +
                  std::to_string(length) + " reach past the end of " + Quoted(external.location) +
                  ", which has " + std::to_string(bytes.size()) + " bytes");
  }
  return bytes.subspan(external.offset, length);
}

Status TensorChecker::Check(const SparseTensorProto& tensor) {
  const TensorProto& values = tensor.values();
  const TensorProto& indices = tensor.indices();
  if (auto status = Check(values); !status) return Within("values", status.error());
  if (auto status = Check(indices); !status) return Within("indices", status.error());
  if (values.dims_size() != 1) return Refuse("values: a sparse tensor's values have one dimension");
  if (indices.data_type() != TensorProto::INT64) return Refuse("indices: must be INT64");
  GC_TRY(const uint64_t elements, CountElements(tensor.dims()));
  // ONNX Runtime makes it dense when it loads the model.
  const StoredType* type = FindStoredType(values.data_type());
  if (elements > dense_bytes_max_ || StoredBytes(*type, elements) > dense_bytes_max_) {
    return Refuse("dims " + DimsText(tensor.dims()) + ": made dense it takes more than " +
                  std::to_string(dense_bytes_max_) + " bytes");
  }
  const bool flat = indices.dims_size() == 1 && indices.dims(0) == values.dims(0);
  const bool pairs =
      indices.dims_size() == 2 && indices.dims(0) == values.dims(0) && indices.dims(1) == tensor.dims_size();
  if (!flat && !pairs) {
    return Refuse("indices: dims " + DimsText(indices.dims()) + " do not fit " +
                  std::to_string(values.dims(0)) + " values of a tensor of rank " +
                  std::to_string(tensor.dims_size()));
  }
  return CheckSparseIndices(tensor);
}

Status TensorChecker::CheckSparseIndices(const SparseTensorProto& tensor) const {
  const std::vector<int64_t> indices = Integers(tensor.indices());
  const bool flat = tensor.indices().dims_size() == 1;
  GC_TRY(const uint64_t elements, CountElements(tensor.dims()));
  for (size_t i = 0; i < indices.size(); ++i) {
    const auto end = flat ? static_cast<int64_t>(elements)
                          : tensor.dims(static_cast<int>(i % static_cast<size_t>(tensor.dims_size())));
    if (indices[i] < 0 || indices[i] >= end) {
      return Refuse("indices: " + std::to_string(indices[i]) + " is outside dims " + DimsText(tensor.dims()));
    }
  }
  return Ok();
}

std::vector<int64_t> TensorChecker::Integers(const TensorProto& tensor) const {
  ByteSpan raw = AsBytes(tensor.raw_data());
  if (tensor.data_location() == TensorProto::EXTERNAL) {
    const Result<ByteSpan> bytes = FindExternal(tensor);
    if (!bytes) return {};
    raw = *bytes;
  } else if (!tensor.has_raw_data()) {
    if (tensor.data_type() == TensorProto::INT64)
      return {tensor.int64_data().begin(), tensor.int64_data().end()};
    return {tensor.int32_data().begin(), tensor.int32_data().end()};
  }
  switch (tensor.data_type()) {
    case TensorProto::INT64: return FromRaw<int64_t>(raw);
    case TensorProto::INT32: return FromRaw<int32_t>(raw);
    case TensorProto::BOOL: return FromRaw<uint8_t>(raw);
    default: return {};
  }
}

std::vector<int64_t> TensorChecker::SmallIntegers(const TensorProto& tensor, size_t count_max) const {
  const bool integers = tensor.data_type() == TensorProto::INT64 ||
                        tensor.data_type() == TensorProto::INT32 || tensor.data_type() == TensorProto::BOOL;
  if (!integers || tensor.dims_size() > 1) return {};
  if (tensor.dims_size() == 1 && static_cast<uint64_t>(tensor.dims(0)) > count_max) return {};
  return Integers(tensor);
}

std::vector<std::string> TensorChecker::ReferredPaths() const {
  std::vector<std::string> paths(referred_.begin(), referred_.end());
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace glasscase::onnx
