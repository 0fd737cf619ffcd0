// The abstract run of a graph: rules applied node by node, in the order of the file, into functions and
// subgraphs.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "rows.h"
#include "rows_rules.h"
#include "rows_value.h"

namespace glasscase::onnx {

// The values of one graph or function body.
struct RowScope {
  const RowScope* outer = nullptr;  // of a subgraph
  const Opsets* opsets = nullptr;
  const CallAttributes* call = nullptr;  // in a function
  std::string place;                     // before the labels of nodes: empty, or function "f" and a colon
  std::unordered_map<std::string_view, Value> values;

  const Value* Find(std::string_view name) const;
};

class RowRun {
 public:
  explicit RowRun(const CheckedModel& checked) : checked_(checked) {}

  // Empty, or the first node that may let rows meet and why. Nodes whose outputs nobody reads count too: they
  // are executed, and may fail for the rows of another.
  std::string RunModel();
  // The value of that name in the model's graph; null where it was not followed.
  const Value* Find(std::string_view name) const { return graph_.Find(name); }

 private:
  // Counts work against a limit: functions make a small file a long run. False when it is used up.
  bool Spend(int steps);
  Value ValueOf(const TensorProto& tensor) const;
  void AddInitializers(const GraphProto& graph, RowScope& scope) const;
  std::string RunNodes(const ::google::protobuf::RepeatedPtrField<NodeProto>& nodes, RowScope& scope);
  Outcome RunNode(const NodeProto& node, const RowScope& scope);
  Outcome RunOperator(const NodeView& node, std::string_view domain) const;
  Outcome RunConstant(const NodeView& node) const;
  Outcome RunCall(const NodeView& node, const FunctionProto& function);
  Outcome RunSubgraph(const GraphProto& graph, std::vector<Value> given, const RowScope& scope);
  Outcome RunIf(const NodeView& node, const RowScope& scope);
  Outcome RunScan(const NodeView& node, const RowScope& scope);

  const CheckedModel& checked_;
  RowScope graph_;
  int64_t steps_ = 0;
};

}  // namespace glasscase::onnx
