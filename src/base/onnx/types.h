// The types of a model's inputs and outputs.
#pragma once

#include <glasscase/core/error.h>
#include <glasscase/tensor/tensor.h>

#include "schema.h"

namespace glasscase::onnx {

enum class Direction : uint8_t { kInput, kOutput };

// input "x"
std::string PortLabel(Direction direction, const ValueInfoProto& info);

// What callers see of an input or output. Errors name it and, for sequences and maps, the exporter option
// that avoids them.
Result<TensorSpec> ReadSpec(Direction direction, const ValueInfoProto& info);

}  // namespace glasscase::onnx
