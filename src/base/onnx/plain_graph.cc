#include <glasscase/onnx/plain_graph.h>

#include <map>
#include <string>

#include "plain_operators.h"

namespace glasscase::onnx {

struct PlainGraph::Parts {
  GraphProto graph;
  std::map<std::string, PlainTensor> constants;
  std::map<const NodeProto*, PlainTrees> trees;
};

PlainGraph::PlainGraph(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
PlainGraph::PlainGraph(PlainGraph&&) noexcept = default;
PlainGraph& PlainGraph::operator=(PlainGraph&&) noexcept = default;
PlainGraph::~PlainGraph() = default;

Result<PlainGraph> PlainGraph::Read(ByteSpan file) {
  ModelProto model;
  if (!model.ParseFromArray(file.data(), static_cast<int>(file.size())))
    return Fail(Error::InvalidArgument("it is no ONNX file"));
  auto parts = std::make_unique<Parts>();
  parts->graph.Swap(model.mutable_graph());
  for (const TensorProto& tensor : parts->graph.initializer()) {
    GC_TRY(parts->constants[tensor.name()], ToPlain(tensor));
  }
  for (NodeProto& node : *parts->graph.mutable_node()) {
    if (node.op_type() != "TreeEnsembleRegressor") continue;
    GC_TRY(PlainTrees trees, PlainTrees::Read(node));
    parts->trees.emplace(&node, std::move(trees));
    node.clear_attribute();  // they hold as much as the trees
  }
  return PlainGraph(std::move(parts));
}

Result<std::vector<PlainTensor>> PlainGraph::Run(PlainTensor input) const {
  const GraphProto& graph = parts_->graph;
  std::map<std::string, PlainTensor> values;
  if (graph.input_size() != 1) return Fail(Error(Code::kUnimplemented, "a graph without one input"));
  values[graph.input(0).name()] = std::move(input);
  const auto find = [&](const std::string& name) -> Result<const PlainTensor*> {
    if (const auto found = values.find(name); found != values.end()) return &found->second;
    if (const auto found = parts_->constants.find(name); found != parts_->constants.end())
      return &found->second;
    return Fail(Error::InvalidArgument("nothing computes " + Printable(name)));
  };
  for (const NodeProto& node : graph.node()) {
    PlainInputs inputs;
    for (const std::string& name : node.input()) {
      GC_TRY(inputs.emplace_back(), find(name));
    }
    if (node.output_size() != 1) return Fail(Error(Code::kUnimplemented, "a node with several outputs"));
    const auto trees = parts_->trees.find(&node);
    const bool has_trees = trees != parts_->trees.end() && inputs.size() == 1;
    GC_TRY(values[node.output(0)], has_trees ? trees->second.Run(*inputs[0]) : RunOperator(node, inputs));
  }
  std::vector<PlainTensor> outputs;
  for (const ValueInfoProto& output : graph.output()) {
    GC_TRY(const PlainTensor* value, find(output.name()));
    outputs.push_back(*value);
  }
  return outputs;
}

}  // namespace glasscase::onnx
