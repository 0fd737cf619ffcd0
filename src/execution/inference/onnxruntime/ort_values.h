// Tensors of ours as ONNX Runtime's values and back.
#pragma once

#include <memory>
#include <optional>

#include <onnxruntime_c_api.h>

#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>
#include <glasscase/inference/engine.h>

namespace glasscase::inference {

ONNXTensorElementDataType ToOrtType(DataType type);
std::optional<DataType> FromOrtType(ONNXTensorElementDataType type);

struct ReleaseOrtValue {
  const OrtApi* api = nullptr;
  void operator()(OrtValue* value) const { api->ReleaseValue(value); }
};
using OrtValuePtr = std::unique_ptr<OrtValue, ReleaseOrtValue>;

// Over the caller's memory, except strings, which are copied.
Result<OrtValuePtr> MakeValue(const OrtApi& api, const OrtMemoryInfo* memory, const InputView& input);

// A view of the value's memory; strings are written into `strings`, which the view then shows.
Result<OutputView> ViewValue(const OrtApi& api, OrtValue* value, Bytes& strings);

}  // namespace glasscase::inference
