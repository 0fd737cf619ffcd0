// The operators of PlainGraph.
#pragma once

#include <glasscase/onnx/plain_graph.h>

#include "schema.h"

namespace glasscase::onnx {

using PlainInputs = std::vector<const PlainTensor*>;

// Of ai.onnx.
Result<PlainTensor> RunOperator(const NodeProto& node, const PlainInputs& inputs);

// TreeEnsembleRegressor of ai.onnx.ml, version 3: its lists as trees, looked up once.
class PlainTrees {
 public:
  // InvalidArgument for lists that do not fit each other; Unimplemented for modes and transforms of others.
  static Result<PlainTrees> Read(const NodeProto& node);
  Result<PlainTensor> Run(const PlainTensor& input) const;

 private:
  enum class Mode : uint8_t { kLeaf, kLess, kLessOrEqual };
  struct Weight {
    int64_t target;
    double value;
  };
  struct Node {
    Mode mode = Mode::kLeaf;
    bool missing_true = false;
    int64_t feature = 0;
    double value = 0;
    size_t yes = 0;  // places in nodes_
    size_t no = 0;
    size_t first_weight = 0;
    size_t weights = 0;
  };
  class Places;
  Status ReadNodes(const NodeProto& node, const Places& places);
  Status ReadWeights(const NodeProto& node, const Places& places);
  Result<const Node*> FindLeaf(size_t root, const std::vector<double>& row) const;

  std::vector<Node> nodes_;
  std::vector<size_t> roots_;  // in the order of the lists
  std::vector<Weight> weights_;
  int64_t targets_ = 1;
  bool averages_ = false;
  bool is_double_ = false;  // its numbers are: then it adds up in double
};

int64_t IntegerOr(const NodeProto& node, std::string_view name, int64_t otherwise);
Result<PlainTensor> ToPlain(const TensorProto& tensor);

}  // namespace glasscase::onnx
