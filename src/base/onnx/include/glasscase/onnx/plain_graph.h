// Evaluates a graph by the text of its operators, one node after the other: slow, and no runtime's word.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>

namespace glasscase::onnx {

// A tensor of at most two dimensions; truth values are bytes.
struct PlainTensor {
  std::vector<int64_t> shape;
  std::variant<std::vector<float>, std::vector<double>, std::vector<int64_t>, std::vector<uint8_t>,
               std::vector<std::string>>
      data;
};

class PlainGraph {
 public:
  // `file` passed Inspect. InvalidArgument when it is no model, or a tensor of it has no numbers inside.
  static Result<PlainGraph> Read(ByteSpan file);
  PlainGraph(PlainGraph&&) noexcept;
  PlainGraph& operator=(PlainGraph&&) noexcept;
  ~PlainGraph();

  // Of a graph with one input: its outputs, in order. Unimplemented names an operator, or a use of it, that
  // is not among those that `glasscase translate` writes. Thread-safe.
  Result<std::vector<PlainTensor>> Run(PlainTensor input) const;

 private:
  struct Parts;
  explicit PlainGraph(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace glasscase::onnx
