// The proof that rows do not meet: an abstract run of the graph over values that know where the rows are.
#pragma once

#include <span>
#include <string>

#include <glasscase/tensor/tensor.h>

#include "functions.h"
#include "schema.h"
#include "tensors.h"

namespace glasscase::onnx {

// A model that passed all checks.
struct CheckedModel {
  const ModelProto& model;
  const Opsets& opsets;
  const Functions& functions;
  const TensorChecker& tensors;
  std::span<const TensorSpec> inputs;
  std::span<const TensorSpec> outputs;
};

// Empty when dimension 0 varies in all inputs and outputs and each output row is shown to depend on the input
// rows of the same index alone, given that all inputs have equally many rows. Otherwise why not, naming the
// node, input or output where the proof ends.
std::string WhyRowsAreNotIndependent(const CheckedModel& model);

}  // namespace glasscase::onnx
