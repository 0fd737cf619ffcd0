// Feeds the inspector a model and one external file: four bytes (little-endian) say how many of the rest are
// the model, the others are the file "weights.bin".
#include <algorithm>
#include <cstdint>
#include <cstring>

#include <glasscase/onnx/inspect.h>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  uint32_t model_size = 0;
  if (size < sizeof model_size) return 0;
  std::memcpy(&model_size, data, sizeof model_size);
  const glasscase::ByteSpan rest(data + sizeof model_size, size - sizeof model_size);
  const size_t split = std::min<size_t>(model_size, rest.size());
  const glasscase::onnx::ExternalFile files[] = {{"weights.bin", rest.subspan(split)}};
  const auto result = glasscase::onnx::Inspect(rest.first(split), files, {});
  if (result && result->rows_independent != result->rows_reason.empty()) __builtin_trap();
  return 0;
}
