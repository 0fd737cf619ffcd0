#include "rows_run.h"

#include <algorithm>
#include <map>

namespace glasscase::onnx {
namespace {

constexpr int64_t kOldestFunctionOpset = 7;
constexpr int64_t kStepsMax = 10'000'000;

Outcome TooLarge() { return Outcome::Refused("is in a model that is too large to follow"); }

const Operator* FindOperator(std::string_view domain, std::string_view type) {
  static const auto* const table = [] {
    auto* by_name = new std::map<std::pair<std::string_view, std::string_view>, Operator>;
    for (const auto& part : {ElementwiseOperators(), ShapeOperators(), SelectionOperators(),
                             ReductionOperators(), LinearOperators(), LayerOperators(), MlOperators()}) {
      for (const Operator& op : part) by_name->emplace(std::pair(op.domain, op.type), op);
    }
    return by_name;
  }();
  const auto found = table->find({domain, type});
  return found == table->end() ? nullptr : &found->second;
}

const GraphProto* GraphOf(const NodeView& node, std::string_view name) {
  const AttributeProto* attribute = node.Attribute(name);
  return attribute != nullptr && attribute->has_g() ? &attribute->g() : nullptr;
}

// Whether the subgraph gives a name that is known outside already: runtimes may disagree about which one is
// meant.
bool Shadows(const GraphProto& graph, const RowScope& scope) {
  const auto known = [&scope](const std::string& name) {
    return !name.empty() && scope.Find(name) != nullptr;
  };
  return std::any_of(graph.input().begin(), graph.input().end(),
                     [&](const auto& v) { return known(v.name()); }) ||
         std::any_of(graph.initializer().begin(), graph.initializer().end(),
                     [&](const auto& v) { return known(v.name()); }) ||
         std::any_of(graph.sparse_initializer().begin(), graph.sparse_initializer().end(),
                     [&](const auto& v) { return known(v.values().name()); }) ||
         std::any_of(graph.node().begin(), graph.node().end(), [&](const auto& node) {
           return std::any_of(node.output().begin(), node.output().end(), known);
         });
}

// Takes dimension `axis` out of what a Scan goes through; its length, or kUnknownDim.
int64_t RemoveDim(Value& value, int axis) {
  const int64_t length = value.Dim(axis);
  value.dims.erase(value.dims.begin() + axis);
  if (value.IsRows() && value.axis > axis) --value.axis;
  return length;
}

void InsertDim(Value& value, int axis, int64_t length) {
  value.dims.insert(value.dims.begin() + axis, length);
  if (value.IsRows() && value.axis >= axis) ++value.axis;
}

std::vector<int64_t> AxesOf(const NodeView& node, std::string_view name, size_t count) {
  return node.Ints(name).value_or(std::vector<int64_t>(count, 0));
}

// The results of a Scan from those of one step: each state must be as before, so that every step is like the
// first.
Outcome FinishScan(const NodeView& node, const std::vector<Value>& states, std::vector<Value> results,
                   int64_t steps) {
  const std::vector<int64_t> axes = AxesOf(node, "scan_output_axes", results.size() - states.size());
  for (size_t i = 0; i < results.size(); ++i) {
    Value& result = results[i];
    if (result.CountsRows()) return Outcome::Refused("uses the number of rows as a value");
    result = result.WithoutElements();
    if (i < states.size()) {
      if (!SameLayout(result, states[i])) return Outcome::Refused("has a state that changes its shape");
      continue;
    }
    if (!result.has_rank) continue;
    const size_t output = i - states.size();
    const auto axis = output < axes.size() ? NormalAxis(axes[output], result.rank() + 1) : std::nullopt;
    if (!axis) return Outcome::Refused("has an axis outside its output");
    InsertDim(result, *axis, steps);
  }
  return {std::move(results), {}};
}

}  // namespace

const Value* RowScope::Find(std::string_view name) const {
  for (const RowScope* scope = this; scope != nullptr; scope = scope->outer) {
    const auto found = scope->values.find(name);
    if (found != scope->values.end()) return &found->second;
  }
  return nullptr;
}

bool RowRun::Spend(int steps) {
  steps_ += steps;
  return steps_ <= kStepsMax;
}

std::string RowRun::RunModel() {
  graph_.opsets = &checked_.opsets;
  for (const TensorSpec& input : checked_.inputs)
    graph_.values.emplace(input.name, Value::Rows(input.shape, 0, 1));
  AddInitializers(checked_.model.graph(), graph_);
  return RunNodes(checked_.model.graph().node(), graph_);
}

Value RowRun::ValueOf(const TensorProto& tensor) const {
  if (tensor.dims_size() > kProofRankMax) return Value::Fixed();
  Value value = Value::Fixed({tensor.dims().begin(), tensor.dims().end()});
  const std::vector<int64_t> numbers = checked_.tensors.SmallIntegers(tensor, kElementsTracked);
  if (numbers.empty() || Product(value.dims) != static_cast<int64_t>(numbers.size())) return value;
  value.has_elements = true;
  value.element_type = tensor.data_type() == TensorProto::INT64   ? Value::ElementType::kInt64
                       : tensor.data_type() == TensorProto::INT32 ? Value::ElementType::kInt32
                                                                  : Value::ElementType::kBool;
  for (const int64_t number : numbers) value.elements.push_back(Symbol::Known(number));
  return value;
}

void RowRun::AddInitializers(const GraphProto& graph, RowScope& scope) const {
  for (const TensorProto& tensor : graph.initializer())
    scope.values.insert_or_assign(tensor.name(), ValueOf(tensor));
  for (const SparseTensorProto& tensor : graph.sparse_initializer()) {
    const bool small = tensor.dims_size() <= kProofRankMax;
    scope.values.insert_or_assign(
        tensor.values().name(),
        small ? Value::Fixed({tensor.dims().begin(), tensor.dims().end()}) : Value::Fixed());
  }
}

std::string RowRun::RunNodes(const ::google::protobuf::RepeatedPtrField<NodeProto>& nodes, RowScope& scope) {
  for (int i = 0; i < nodes.size(); ++i) {
    const NodeProto& node = nodes[i];
    Outcome outcome = RunNode(node, scope);
    if (!outcome.refusal.empty()) return scope.place + NodeLabel(node, i) + ": " + outcome.refusal;
    // Outputs beyond those that a rule speaks of stay unknown: whoever reads one ends the proof.
    const size_t followed = std::min(outcome.outputs.size(), static_cast<size_t>(node.output_size()));
    for (size_t k = 0; k < followed; ++k) {
      const std::string& name = node.output(static_cast<int>(k));
      if (!name.empty()) scope.values.insert_or_assign(name, std::move(outcome.outputs[k]));
    }
  }
  return {};
}

Outcome RowRun::RunNode(const NodeProto& node, const RowScope& scope) {
  if (!Spend(1 + node.input_size() + node.output_size())) return TooLarge();
  std::vector<const Value*> inputs;
  for (const std::string& name : node.input()) {
    inputs.push_back(name.empty() ? nullptr : scope.Find(name));
    if (!name.empty() && inputs.back() == nullptr) {
      return Outcome::Refused("reads " + Quoted(name) + ", which is not followed or comes later in the file");
    }
  }
  while (!inputs.empty() && inputs.back() == nullptr) inputs.pop_back();

  const std::string_view domain = DomainOf(node.domain());
  const auto opset = scope.opsets->find(domain);
  const NodeView view(node, std::move(inputs), opset == scope.opsets->end() ? 0 : opset->second, scope.call);
  if (const FunctionProto* callee = checked_.functions.Find(node); callee != nullptr)
    return RunCall(view, *callee);
  if (domain == kOnnxDomain && node.op_type() == "Constant") return RunConstant(view);
  if (domain == kOnnxDomain && node.op_type() == "If") return RunIf(view, scope);
  if (domain == kOnnxDomain && node.op_type() == "Scan") return RunScan(view, scope);
  return RunOperator(view, domain);
}

Outcome RowRun::RunOperator(const NodeView& node, std::string_view domain) const {
  const Operator* op = FindOperator(domain, node.node().op_type());
  if (op == nullptr) return Outcome::Refused("is not on the list of operators known to keep rows apart");
  if (!node.Has(0)) return Outcome::Refused("has no first input");
  bool any_rows = false;
  bool any_counts = false;
  for (size_t i = 0; i < node.InputCount(); ++i) {
    any_rows = any_rows || (node.Has(i) && node.In(i).IsRows());
    any_counts = any_counts || (node.Has(i) && node.In(i).CountsRows());
  }
  if (any_counts && op->fixed_inputs != Operator::FixedInputs::kCounts) {
    return Outcome::Refused("uses the number of rows as a value");
  }
  if (!any_rows && op->fixed_inputs == Operator::FixedInputs::kOpaque) {
    return {std::vector<Value>(static_cast<size_t>(node.OutputCount()), Value::Fixed()), {}};
  }
  Outcome outcome = op->rule(node);
  for (Value& value : outcome.outputs) {
    if (value.elements.size() > kElementsTracked && !value.CountsRows()) value = value.WithoutElements();
    if (value.rank() > kProofRankMax || value.elements.size() > kElementsTracked) {
      return Outcome::Refused("has too many dimensions");
    }
  }
  return outcome;
}

Outcome RowRun::RunConstant(const NodeView& node) const {
  if (const auto* a = node.Attribute("value"); a != nullptr) return Outcome::Of(ValueOf(a->t()));
  if (const auto* a = node.Attribute("value_int"); a != nullptr)
    return Outcome::Of(Value::Scalar(Symbol::Known(a->i())));
  if (const auto numbers = node.Ints("value_ints"); numbers && numbers->size() <= kElementsTracked) {
    std::vector<Symbol> elements;
    for (const int64_t number : *numbers) elements.push_back(Symbol::Known(number));
    return Outcome::Of(Value::Vector(std::move(elements)));
  }
  if (node.Attribute("value_float") != nullptr || node.Attribute("value_string") != nullptr) {
    return Outcome::Of(Value::Fixed(std::vector<int64_t>{}));
  }
  if (const auto* a = node.Attribute("value_floats"); a != nullptr)
    return Outcome::Of(Value::Fixed({a->floats_size()}));
  return Outcome::Of(Value::Fixed());
}

// The body is run with its parameters bound, as if it stood in the caller's place.
Outcome RowRun::RunCall(const NodeView& node, const FunctionProto& function) {
  if (!Spend(function.opset_import_size()) || !Spend(function.attribute_proto_size()) ||
      !Spend(function.input_size()) || !Spend(node.node().attribute_size())) {
    return TooLarge();
  }
  Opsets opsets;
  for (const auto& import : function.opset_import()) {
    const std::string_view domain = DomainOf(import.domain());
    opsets.try_emplace(domain, import.version());
    const auto of_model = checked_.opsets.find(domain);
    // The runtime puts the body into the graph and may then read it by the graph's opset.
    const bool differs = of_model != checked_.opsets.end() && of_model->second != import.version();
    if (differs || (domain == kOnnxDomain && import.version() < kOldestFunctionOpset)) {
      return Outcome::Refused("calls a function written for another opset than the model");
    }
  }
  CallAttributes attributes;
  for (const AttributeProto& attribute : function.attribute_proto())
    attributes[attribute.name()] = &attribute;
  for (const AttributeProto& attribute : node.node().attribute()) {
    if (const auto* given = node.Resolve(attribute); given != nullptr) attributes[attribute.name()] = given;
  }
  RowScope body{.outer = nullptr,
                .opsets = &opsets,
                .call = &attributes,
                .place = FunctionLabel(function) + ": ",
                .values = {}};
  for (int i = 0; i < function.input_size(); ++i) {
    const auto at = static_cast<size_t>(i);
    if (node.Has(at)) body.values.emplace(function.input(i), node.In(at));
  }
  // The reason names the node inside the function; the caller's label stands before it.
  if (std::string reason = RunNodes(function.node(), body); !reason.empty())
    return Outcome::Refused(std::move(reason));
  Outcome outcome;
  for (int i = 0; i < node.OutputCount(); ++i) {
    const Value* value = body.Find(function.output(i));
    if (value == nullptr) return Outcome::Refused("calls a function with an output that is not followed");
    outcome.outputs.push_back(*value);
  }
  return outcome;
}

Outcome RowRun::RunSubgraph(const GraphProto& graph, std::vector<Value> given, const RowScope& scope) {
  if (!Spend(graph.initializer_size()) || !Spend(graph.sparse_initializer_size()) ||
      !Spend(graph.node_size()))
    return TooLarge();
  if (graph.input_size() != static_cast<int>(given.size()) || Shadows(graph, scope)) {
    return Outcome::Refused("has a subgraph that is not followed");
  }
  RowScope body{.outer = &scope, .opsets = scope.opsets, .call = scope.call, .place = {}, .values = {}};
  for (int i = 0; i < graph.input_size(); ++i) {
    body.values.emplace(graph.input(i).name(), std::move(given[static_cast<size_t>(i)]));
  }
  AddInitializers(graph, body);
  if (std::string reason = RunNodes(graph.node(), body); !reason.empty())
    return Outcome::Refused(std::move(reason));
  Outcome outcome;
  for (const ValueInfoProto& output : graph.output()) {
    const Value* value = body.Find(output.name());
    if (value == nullptr) return Outcome::Refused("has a subgraph that is not followed");
    outcome.outputs.push_back(*value);
  }
  return outcome;
}

// The choice must not depend on the rows, and both branches must say the same.
Outcome RowRun::RunIf(const NodeView& node, const RowScope& scope) {
  const GraphProto* yes = GraphOf(node, "then_branch");
  const GraphProto* no = GraphOf(node, "else_branch");
  if (yes == nullptr || no == nullptr || node.InputCount() != 1)
    return Outcome::Refused("does not have two branches");
  if (!node.RestIsConstant(0)) return Outcome::Refused("branches by a value that depends on the rows");
  Outcome first = RunSubgraph(*yes, {}, scope);
  if (!first.refusal.empty()) return first;
  Outcome second = RunSubgraph(*no, {}, scope);
  if (!second.refusal.empty()) return second;
  if (first.outputs.size() != second.outputs.size())
    return Outcome::Refused("has branches with different results");
  for (size_t i = 0; i < first.outputs.size(); ++i) {
    Value& a = first.outputs[i];
    const Value& b = second.outputs[i];
    if (!SameLayout(a, b) || a.CountsRows() || b.CountsRows())
      return Outcome::Refused("has branches with different results");
    a = a.WithoutElements();
  }
  return first;
}

Outcome RowRun::RunScan(const NodeView& node, const RowScope& scope) {
  constexpr int64_t kOldestScanOpset = 9;  // before, Scan had a batch dimension of its own
  const GraphProto* body = GraphOf(node, "body");
  const int64_t scanned = node.Int("num_scan_inputs", 0);
  const auto inputs = static_cast<int64_t>(node.InputCount());
  if (body == nullptr || node.opset() < kOldestScanOpset || scanned < 1 || scanned > inputs ||
      body->output_size() < inputs - scanned) {
    return Outcome::Refused("is a scan that is not followed");
  }
  const auto states = static_cast<size_t>(inputs - scanned);
  const std::vector<int64_t> axes = AxesOf(node, "scan_input_axes", static_cast<size_t>(scanned));
  std::vector<Value> given;
  int64_t steps = kUnknownDim;
  for (size_t i = 0; i < node.InputCount(); ++i) {
    if (!node.Has(i) || node.In(i).CountsRows())
      return Outcome::Refused("uses the number of rows as a value");
    Value& value = given.emplace_back(node.In(i).WithoutElements());
    if (i < states || !value.has_rank) continue;
    const auto axis = i - states < axes.size() ? NormalAxis(axes[i - states], value.rank()) : std::nullopt;
    if (!axis) return Outcome::Refused("has an axis outside its input");
    if (value.IsRows() && value.axis == *axis) return Outcome::Refused("goes from row to row");
    steps = RemoveDim(value, *axis);
  }
  const std::vector<Value> before(given.begin(), given.begin() + static_cast<std::ptrdiff_t>(states));
  Outcome step = RunSubgraph(*body, std::move(given), scope);
  if (!step.refusal.empty()) return step;
  return FinishScan(node, before, std::move(step.outputs), steps);
}

}  // namespace glasscase::onnx
