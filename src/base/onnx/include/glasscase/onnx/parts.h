// What a model file holds, piece by piece, to compare it with another.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>

namespace glasscase::onnx {

struct PartVisitor {
  std::function<void(std::string name, std::vector<double> numbers)> numbers;
  std::function<void(std::string name, std::string bytes)> words;
};

// Initializers by name, attributes by node, and what is left of the graph. Left out: who wrote the file and
// when, names of nodes, documentation. Numbers that a double does not hold are words, and so are tensors in
// other files: their place. InvalidArgument when it is no ONNX file that could be inspected.
Status VisitParts(ByteSpan file, const PartVisitor& visitor);

}  // namespace glasscase::onnx
