// The structure of graphs and function bodies: names, order, domains, attributes, nesting.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <glasscase/core/error.h>
#include <glasscase/onnx/inspect.h>

#include "functions.h"
#include "schema.h"
#include "tensors.h"

namespace glasscase::onnx {

// Checks one graph or function body at a time, subgraphs included. What it refers to outlives it.
class GraphChecker {
 public:
  GraphChecker(const Functions& functions, TensorChecker& tensors, const Limits& limits)
      : functions_(functions), tensors_(tensors), limits_(limits) {}

  // Each error names the node, tensor or field first. The result says what the body calls.
  Result<Contents> CheckModelGraph(const GraphProto& graph, const Opsets& opsets);
  Result<Contents> CheckFunction(const FunctionProto& function);

  uint64_t parameters() const { return parameters_; }  // elements of all initializers seen so far

 private:
  // A name that a subgraph takes from the graphs around it, and who takes it.
  struct FreeName {
    std::string_view name;
    const NodeProto* node;
    int index;
  };
  struct Body;

  Status CheckGraph(const GraphProto& graph, const Opsets& opsets, uint32_t depth,
                    std::vector<FreeName>& free);
  Status CheckInitializers(const GraphProto& graph, Body& body);
  Status CheckBody(Body& body, const Opsets& opsets, uint32_t depth, std::vector<FreeName>& free);
  Status CheckNode(const NodeProto& node, const Opsets& opsets);
  Status CheckOperator(const NodeProto& node, const Opsets& opsets);
  Status CheckAttribute(const AttributeProto& attribute);
  Status CheckSubgraphs(const NodeProto& node, const Opsets& opsets, uint32_t depth,
                        std::vector<FreeName>& free);

  const Functions& functions_;
  TensorChecker& tensors_;
  const Limits& limits_;
  bool in_function_ = false;
  Contents contents_;
  uint64_t parameters_ = 0;
};

// The opset imports by domain; an error when a domain is given twice with different versions, or in a version
// that ONNX Runtime 1.31 does not have.
Result<Opsets> ReadOpsets(const ::google::protobuf::RepeatedPtrField<::onnx::OperatorSetIdProto>& imports);

}  // namespace glasscase::onnx
