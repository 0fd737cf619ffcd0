// Operators whose kernel in ONNX Runtime 1.31 leaves a part of its output as it found the memory.
#pragma once

#include <glasscase/core/error.h>

#include "schema.h"

namespace glasscase::onnx {

// Refuses classifiers of ai.onnx.ml with attributes for which the runtime allocates an output and does not
// fill it (found by running them twice: README.md has the cases). The memory may hold another caller's
// numbers.
Status CheckOutputsWritten(const NodeProto& node);

}  // namespace glasscase::onnx
