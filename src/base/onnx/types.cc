#include "types.h"

#include <algorithm>

#include <glasscase/core/bytes.h>

namespace glasscase::onnx {
namespace {

using ::onnx::TensorShapeProto;
using ::onnx::TypeProto;

constexpr int64_t kDimensionMax = int64_t{1} << 40;

Result<DataType> ReadElementType(int32_t type) {
  switch (type) {
    case TensorProto::FLOAT: return DataType::kFp32;
    case TensorProto::UINT8: return DataType::kUint8;
    case TensorProto::INT8: return DataType::kInt8;
    case TensorProto::UINT16: return DataType::kUint16;
    case TensorProto::INT16: return DataType::kInt16;
    case TensorProto::INT32: return DataType::kInt32;
    case TensorProto::INT64: return DataType::kInt64;
    case TensorProto::STRING: return DataType::kBytes;
    case TensorProto::BOOL: return DataType::kBool;
    case TensorProto::FLOAT16: return DataType::kFp16;
    case TensorProto::DOUBLE: return DataType::kFp64;
    case TensorProto::UINT32: return DataType::kUint32;
    case TensorProto::UINT64: return DataType::kUint64;
    case TensorProto::BFLOAT16: return DataType::kBf16;
    default: break;
  }
  const bool named = ::onnx::TensorProto_DataType_IsValid(type);
  const std::string name = named ? ::onnx::TensorProto_DataType_Name(static_cast<TensorProto::DataType>(type))
                                 : std::to_string(type);
  return Refuse("elements of type " + name +
                " are not supported; cast them to a plain number type in the model");
}

Result<std::vector<int64_t>> ReadShape(const TensorShapeProto& shape) {
  if (static_cast<size_t>(shape.dim_size()) > kRankMax) {
    return Refuse(std::to_string(shape.dim_size()) + " dimensions; at most " + std::to_string(kRankMax) +
                  " are supported");
  }
  std::vector<int64_t> dims;
  for (const auto& dim : shape.dim()) {
    const int64_t value = dim.has_dim_value() ? dim.dim_value() : -1;
    if (dim.has_dim_value() && (value < 0 || value > kDimensionMax)) {
      return Refuse("dimension " + std::to_string(dims.size()) + " is " + std::to_string(value) +
                    "; a dimension that varies has a name or nothing");
    }
    dims.push_back(value);
  }
  return dims;
}

// "a sequence of maps" for what ZipMap makes.
std::string KindText(const TypeProto& type) {
  switch (type.value_case()) {
    case TypeProto::kSequenceType:
      return type.sequence_type().elem_type().value_case() == TypeProto::kMapType ? "a sequence of maps"
                                                                                  : "a sequence";
    case TypeProto::kMapType: return "a map";
    case TypeProto::kOptionalType: return "an optional";
    case TypeProto::kSparseTensorType: return "a sparse tensor";
    case TypeProto::kOpaqueType: return "an opaque value";
    default: return "a value without a type";
  }
}

std::string HowToAvoid(const TypeProto& type) {
  switch (type.value_case()) {
    case TypeProto::kSequenceType:
    case TypeProto::kMapType:
      return "export with plain tensors: for skl2onnx options={id(model): {'zipmap': False}}, for "
             "onnxmltools "
             "zipmap=False, for others return each part as a tensor of its own";
    case TypeProto::kOptionalType: return "export with the value always present";
    case TypeProto::kSparseTensorType: return "export with a dense tensor";
    default: return "export with its tensor type";
  }
}

std::string_view NameProblem(const std::string& name) {
  if (name.empty()) return "has no name";
  if (name.size() > kTensorNameBytesMax) return "has a name of more than 255 bytes";
  if (!IsUtf8(name)) return "has a name that is not UTF-8";
  const bool control = std::any_of(name.begin(), name.end(),
                                   [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
  return control ? "has a control character in its name" : "";
}

}  // namespace

std::string PortLabel(Direction direction, const ValueInfoProto& info) {
  return (direction == Direction::kInput ? "input " : "output ") + Quoted(info.name());
}

Result<TensorSpec> ReadSpec(Direction direction, const ValueInfoProto& info) {
  const std::string label = PortLabel(direction, info);
  if (const std::string_view problem = NameProblem(info.name()); !problem.empty()) {
    return Refuse(label + ": " + std::string(problem));
  }
  const TypeProto& type = info.type();
  if (type.value_case() != TypeProto::kTensorType) {
    return Refuse(label + ": is " + KindText(type) + ", not a tensor; " + HowToAvoid(type));
  }
  auto element_type = ReadElementType(type.tensor_type().elem_type());
  if (!element_type) return Within(label, element_type.error());
  if (!type.tensor_type().has_shape()) {
    return Refuse(label + ": has no shape; export with its number of dimensions, those that vary by name");
  }
  auto shape = ReadShape(type.tensor_type().shape());
  if (!shape) return Within(label, shape.error());
  return TensorSpec{info.name(), *element_type, std::move(*shape)};
}

}  // namespace glasscase::onnx
