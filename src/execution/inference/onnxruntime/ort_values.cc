#include "ort_values.h"

#include <cstring>
#include <string>
#include <vector>

#include "ort_status.h"

namespace glasscase::inference {
namespace {

// Indexed by DataType.
constexpr ONNXTensorElementDataType kTypes[] = {
    ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED, ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL,
    ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8,     ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT16,
    ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT32,    ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT64,
    ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8,      ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16,
    ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32,     ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64,
    ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16,   ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT,
    ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE,    ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING,
    ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16};

Status FillStrings(const OrtApi& api, OrtValue* value, uint64_t count, ByteSpan data) {
  for (uint64_t i = 0; i < count; ++i) {
    uint32_t length = 0;
    if (data.size() < sizeof length) return Fail(Error::InvalidArgument("BYTES data end early"));
    std::memcpy(&length, data.data(), sizeof length);
    data = data.subspan(sizeof length);
    if (data.size() < length) return Fail(Error::InvalidArgument("BYTES data end early"));
    char* room = nullptr;
    GC_TRY_VOID(
        ToStatus(api, api.GetResizedStringTensorElementBuffer(value, i, length, &room), During::kRun));
    if (length > 0) std::memcpy(room, data.data(), length);
    data = data.subspan(length);
  }
  return Ok();
}

Status TakeStrings(const OrtApi& api, const OrtValue* value, size_t count, Bytes& strings) {
  strings.clear();
  size_t bytes = 0;
  GC_TRY_VOID(ToStatus(api, api.GetStringTensorDataLength(value, &bytes), During::kRun));
  std::string content(bytes, '\0');
  std::vector<size_t> offsets(count);
  if (count > 0) {
    GC_TRY_VOID(ToStatus(api, api.GetStringTensorContent(value, content.data(), bytes, offsets.data(), count),
                         During::kRun));
  }
  strings.reserve(bytes + count * sizeof(uint32_t));
  for (size_t i = 0; i < count; ++i) {
    const size_t end = i + 1 < count ? offsets[i + 1] : bytes;
    const auto length = static_cast<uint32_t>(end - offsets[i]);
    const auto* length_bytes = reinterpret_cast<const uint8_t*>(&length);
    strings.insert(strings.end(), length_bytes, length_bytes + sizeof length);
    strings.insert(strings.end(), content.begin() + static_cast<std::ptrdiff_t>(offsets[i]),
                   content.begin() + static_cast<std::ptrdiff_t>(end));
  }
  return Ok();
}

}  // namespace

ONNXTensorElementDataType ToOrtType(DataType type) { return kTypes[static_cast<size_t>(type)]; }

std::optional<DataType> FromOrtType(ONNXTensorElementDataType type) {
  for (size_t i = 1; i < std::size(kTypes); ++i) {
    if (kTypes[i] == type) return static_cast<DataType>(i);
  }
  return std::nullopt;
}

Result<OrtValuePtr> MakeValue(const OrtApi& api, const OrtMemoryInfo* memory, const InputView& input) {
  OrtValue* raw = nullptr;
  if (input.datatype != DataType::kBytes) {
    alignas(8) static uint8_t nothing[8];
    // The interface is not const-correct: inputs are only read.
    void* data = input.data.empty() ? nothing : const_cast<uint8_t*>(input.data.data());
    GC_TRY_VOID(
        ToStatus(api,
                 api.CreateTensorWithDataAsOrtValue(memory, data, input.data.size(), input.shape.data(),
                                                    input.shape.size(), ToOrtType(input.datatype), &raw),
                 During::kRun));
    return OrtValuePtr(raw, ReleaseOrtValue{&api});
  }
  OrtAllocator* allocator = nullptr;
  GC_TRY_VOID(ToStatus(api, api.GetAllocatorWithDefaultOptions(&allocator), During::kRun));
  GC_TRY_VOID(ToStatus(api,
                       api.CreateTensorAsOrtValue(allocator, input.shape.data(), input.shape.size(),
                                                  ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING, &raw),
                       During::kRun));
  OrtValuePtr value(raw, ReleaseOrtValue{&api});
  GC_TRY(const uint64_t count, ElementCount(input.shape));
  GC_TRY_VOID(FillStrings(api, value.get(), count, input.data));
  return value;
}

Result<OutputView> ViewValue(const OrtApi& api, OrtValue* value, Bytes& strings) {
  OrtTensorTypeAndShapeInfo* info = nullptr;
  GC_TRY_VOID(ToStatus(api, api.GetTensorTypeAndShape(value, &info), During::kRun));
  const auto release = [&api](OrtTensorTypeAndShapeInfo* i) { api.ReleaseTensorTypeAndShapeInfo(i); };
  const std::unique_ptr<OrtTensorTypeAndShapeInfo, decltype(release)> owner(info, release);
  ONNXTensorElementDataType element = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
  size_t rank = 0;
  size_t count = 0;
  GC_TRY_VOID(ToStatus(api, api.GetTensorElementType(info, &element), During::kRun));
  GC_TRY_VOID(ToStatus(api, api.GetDimensionsCount(info, &rank), During::kRun));
  GC_TRY_VOID(ToStatus(api, api.GetTensorShapeElementCount(info, &count), During::kRun));
  const std::optional<DataType> type = FromOrtType(element);
  if (!type || rank > kRankMax) return Fail(Error::Internal("the model gave an output of an unknown kind"));
  OutputView view;
  view.datatype = *type;
  view.rank = static_cast<uint8_t>(rank);
  GC_TRY_VOID(ToStatus(api, api.GetDimensions(info, view.dimensions.data(), rank), During::kRun));
  if (*type == DataType::kBytes) {
    GC_TRY_VOID(TakeStrings(api, value, count, strings));
    view.data = strings;
    return view;
  }
  void* data = nullptr;
  GC_TRY_VOID(ToStatus(api, api.GetTensorMutableData(value, &data), During::kRun));
  view.data = {static_cast<const uint8_t*>(data), count * ElementBytes(*type)};
  return view;
}

}  // namespace glasscase::inference
