#include "rows.h"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "rows_rules.h"
#include "rows_value.h"
#include "types.h"

namespace glasscase::onnx {
namespace {

using Nodes = ::google::protobuf::RepeatedPtrField<NodeProto>;

constexpr int64_t kOldestOpset = 7;       // before, broadcasting went by attributes
constexpr int64_t kOldestScanOpset = 9;   // before, Scan had a batch dimension of its own
constexpr size_t kReasonsMax = 4096;      // from then on, values are mixed for the first reason

const Operator* FindOperator(std::string_view domain, std::string_view type) {
  static const auto* const table = [] {
    auto* by_name = new std::map<std::pair<std::string_view, std::string_view>, Operator>;
    for (const auto& part : {ElementwiseOperators(), ShapeOperators(), SelectionOperators(), ReductionOperators(),
                             LinearOperators(), LayerOperators(), MlOperators()}) {
      for (const Operator& op : part) by_name->emplace(std::pair(op.domain, op.type), op);
    }
    return by_name;
  }();
  const auto found = table->find({domain, type});
  return found == table->end() ? nullptr : &found->second;
}

// The values of one graph or function body while it is run.
struct Scope {
  const Scope* outer = nullptr;           // of a subgraph
  const Opsets* opsets = nullptr;
  const CallAttributes* call = nullptr;   // in a function
  std::string place;                      // put before labels: empty, or "function ...: "
  std::unordered_map<std::string_view, Value> values;

  const Value* Find(std::string_view name) const {
    for (const Scope* scope = this; scope != nullptr; scope = scope->outer) {
      const auto found = scope->values.find(name);
      if (found != scope->values.end()) return &found->second;
    }
    return nullptr;
  }
};

class Proof {
 public:
  explicit Proof(const CheckedModel& checked) : checked_(checked) {}

  std::string Run() {
    if (std::string reason = WhyNotByRow(); !reason.empty()) return reason;
    Scope scope{.outer = nullptr, .opsets = &checked_.opsets, .call = nullptr, .place = {}, .values = {}};
    for (const TensorSpec& input : checked_.inputs) {
      scope.values.emplace(input.name, Value::Rows(input.shape, 0, 1));
    }
    AddInitializers(checked_.model.graph(), scope);
    RunNodes(checked_.model.graph().node(), scope);
    for (const ValueInfoProto& output : checked_.model.graph().output()) {
      if (std::string reason = WhyNotRows(output, scope.Find(output.name())); !reason.empty()) return reason;
    }
    return {};
  }

 private:
  // What the declarations alone rule out.
  std::string WhyNotByRow() const {
    if (checked_.inputs.empty()) return "the model has no inputs";
    const auto onnx = checked_.opsets.find(kOnnxDomain);
    if (onnx != checked_.opsets.end() && onnx->second < kOldestOpset) {
      return "opset " + std::to_string(onnx->second) + " is older than " + std::to_string(kOldestOpset);
    }
    for (const TensorSpec& spec : checked_.inputs) {
      if (spec.shape.empty() || spec.shape[0] >= 0) return "input " + Quoted(spec.name) + ": dimension 0 does not vary";
    }
    for (const TensorSpec& spec : checked_.outputs) {
      if (spec.shape.empty() || spec.shape[0] >= 0) return "output " + Quoted(spec.name) + ": dimension 0 does not vary";
    }
    return WhyRowNameRepeats();
  }

  // An input [n, n] changes its rows when their number changes.
  std::string WhyRowNameRepeats() const {
    std::unordered_set<std::string_view> row_names;
    for (const auto pass : {0, 1}) {
      for (const ValueInfoProto& input : checked_.model.graph().input()) {
        const auto& dims = input.type().tensor_type().shape().dim();
        for (int i = 0; i < dims.size(); ++i) {
          const std::string& name = dims[i].dim_param();
          if (name.empty()) continue;
          if (pass == 0 && i == 0) row_names.insert(name);
          if (pass == 1 && i != 0 && row_names.contains(name)) {
            return PortLabel(Direction::kInput, input) + ": has the number of rows as dimension " + std::to_string(i);
          }
        }
      }
    }
    return {};
  }

  std::string WhyNotRows(const ValueInfoProto& output, const Value* value) const {
    const std::string label = PortLabel(Direction::kOutput, output) + ": ";
    if (value == nullptr) return label + "is made by a node that comes too late in the file";
    if (value->IsMixed()) return reasons_[value->reason];
    if (value->IsFixed()) return label + "is the same for any number of rows";
    if (value->axis != 0) return label + "has the rows in dimension " + std::to_string(value->axis);
    if (value->block != 1) return label + "has " + std::to_string(value->block) + " entries per row in dimension 0";
    return {};
  }

  Value MixedBecause(std::string reason) {
    if (reasons_.size() == kReasonsMax) return Value::Mixed(0);
    reasons_.push_back(std::move(reason));
    return Value::Mixed(reasons_.size() - 1);
  }

  Value ValueOf(const TensorProto& tensor) const {
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

  void AddInitializers(const GraphProto& graph, Scope& scope) const {
    for (const TensorProto& tensor : graph.initializer()) scope.values.insert_or_assign(tensor.name(), ValueOf(tensor));
    for (const SparseTensorProto& tensor : graph.sparse_initializer()) {
      const bool small = tensor.dims_size() <= kProofRankMax;
      scope.values.insert_or_assign(
          tensor.values().name(),
          small ? Value::Fixed({tensor.dims().begin(), tensor.dims().end()}) : Value::Fixed());
    }
  }

  void RunNodes(const Nodes& nodes, Scope& scope) {
    for (int i = 0; i < nodes.size(); ++i) {
      const NodeProto& node = nodes[i];
      const std::string_view domain = DomainOf(node.domain());
      std::vector<const Value*> inputs;
      const Value* mixed = nullptr;
      bool late = false;
      for (const std::string& name : node.input()) {
        inputs.push_back(name.empty() ? nullptr : scope.Find(name));
        late = late || (!name.empty() && inputs.back() == nullptr);
        if (inputs.back() != nullptr && inputs.back()->IsMixed() && mixed == nullptr) mixed = inputs.back();
      }
      while (!inputs.empty() && inputs.back() == nullptr) inputs.pop_back();

      std::vector<Value> outputs;
      if (mixed != nullptr) {
        outputs.assign(static_cast<size_t>(node.output_size()), *mixed);
      } else {
        Outcome outcome = late ? Outcome::Refused("reads a value that comes later in the file")
                               : RunNode(node, domain, inputs, scope);
        if (outcome.refusal.empty()) outputs = std::move(outcome.outputs);
        const std::string why = outcome.refusal.empty() ? "has an output that is not followed" : outcome.refusal;
        if (outputs.size() < static_cast<size_t>(node.output_size())) {
          outputs.resize(static_cast<size_t>(node.output_size()), MixedBecause(scope.place + NodeLabel(node, i) + ": " + why));
        }
      }
      for (int k = 0; k < node.output_size(); ++k) {
        if (!node.output(k).empty()) scope.values.insert_or_assign(node.output(k), std::move(outputs[static_cast<size_t>(k)]));
      }
    }
  }

  Outcome RunNode(const NodeProto& node, std::string_view domain, const std::vector<const Value*>& inputs, Scope& scope) {
    if (const FunctionProto* callee = checked_.functions.Find(node); callee != nullptr) {
      return Call(node, *callee, inputs, scope);
    }
    const auto opset = scope.opsets->find(domain);
    const NodeView view(node, inputs, opset == scope.opsets->end() ? 0 : opset->second, scope.call);
    if (domain == kOnnxDomain && node.op_type() == "Constant") return Constant(view);
    if (domain == kOnnxDomain && node.op_type() == "If") return If(view, scope);
    if (domain == kOnnxDomain && node.op_type() == "Scan") return Scan(view, scope);

    const Operator* op = FindOperator(domain, node.op_type());
    if (op == nullptr) return Outcome::Refused("is not on the list of operators known to keep rows apart");
    if (inputs.empty() || inputs[0] == nullptr) return Outcome::Refused("has no first input");
    const bool any_rows = std::any_of(inputs.begin(), inputs.end(), [](const Value* v) { return v && v->IsRows(); });
    const bool any_counts = std::any_of(inputs.begin(), inputs.end(), [](const Value* v) { return v && v->CountsRows(); });
    if (any_counts && op->fixed_inputs != Operator::FixedInputs::kCounts) {
      return Outcome::Refused("uses the number of rows as a value");
    }
    if (!any_rows && op->fixed_inputs == Operator::FixedInputs::kOpaque) {
      return {std::vector<Value>(static_cast<size_t>(node.output_size()), Value::Fixed()), {}};
    }
    Outcome outcome = op->rule(view);
    for (Value& value : outcome.outputs) {
      if (value.elements.size() > kElementsTracked && !value.CountsRows()) value = value.WithoutElements();
      if (value.rank() > kProofRankMax || value.elements.size() > kElementsTracked) {
        return Outcome::Refused("has too many dimensions");
      }
    }
    return outcome;
  }

  Outcome Constant(const NodeView& node) {
    if (const auto* a = node.Attribute("value"); a != nullptr) return Outcome::Of(ValueOf(a->t()));
    if (const auto* a = node.Attribute("value_int"); a != nullptr) return Outcome::Of(Value::Scalar(Symbol::Known(a->i())));
    if (const auto numbers = node.Ints("value_ints"); numbers && numbers->size() <= kElementsTracked) {
      std::vector<Symbol> elements;
      for (const int64_t number : *numbers) elements.push_back(Symbol::Known(number));
      return Outcome::Of(Value::Vector(std::move(elements)));
    }
    if (node.Attribute("value_float") != nullptr || node.Attribute("value_string") != nullptr) {
      return Outcome::Of(Value::Fixed(std::vector<int64_t>{}));
    }
    if (const auto* a = node.Attribute("value_floats"); a != nullptr) return Outcome::Of(Value::Fixed({a->floats_size()}));
    return Outcome::Of(Value::Fixed());
  }

  // A function is run in its caller's place with its parameters bound.
  Outcome Call(const NodeProto& node, const FunctionProto& function, const std::vector<const Value*>& inputs,
               const Scope& scope) {
    Opsets opsets;
    for (const auto& import : function.opset_import()) {
      const std::string_view domain = DomainOf(import.domain());
      opsets.emplace(domain, import.version());
      const auto of_model = checked_.opsets.find(domain);
      // The runtime puts the body into the graph and may then read it by the graph's opset.
      const bool differs = of_model != checked_.opsets.end() && of_model->second != import.version();
      if (differs || (domain == kOnnxDomain && import.version() < kOldestOpset)) {
        return Outcome::Refused("calls a function written for another opset than the model");
      }
    }
    CallAttributes attributes;
    for (const AttributeProto& attribute : function.attribute_proto()) attributes[attribute.name()] = &attribute;
    const NodeView view(node, inputs, 0, scope.call);
    for (const AttributeProto& attribute : node.attribute()) {
      if (const AttributeProto* given = view.Attribute(attribute.name()); given != nullptr) {
        attributes[attribute.name()] = given;
      }
    }
    Scope body{.outer = nullptr, .opsets = &opsets, .call = &attributes,
               .place = FunctionLabel(function) + ": ", .values = {}};
    for (int i = 0; i < function.input_size(); ++i) {
      if (view.Has(static_cast<size_t>(i))) body.values.emplace(function.input(i), view.In(static_cast<size_t>(i)));
    }
    RunNodes(function.node(), body);
    Outcome outcome;
    for (int i = 0; i < node.output_size(); ++i) {
      const Value* value = body.Find(function.output(i));
      if (value == nullptr) return Outcome::Refused("calls a function with an output that is not followed");
      outcome.outputs.push_back(*value);
    }
    return outcome;
  }

  // Runs a subgraph with `given` as its inputs; nothing when it renames a value from outside, where runtimes may
  // disagree about which one is meant.
  std::optional<std::vector<Value>> RunSubgraph(const GraphProto& graph, std::vector<Value> given, const Scope& scope) {
    Scope body{.outer = &scope, .opsets = scope.opsets, .call = scope.call, .place = scope.place, .values = {}};
    if (graph.input_size() != static_cast<int>(given.size())) return std::nullopt;
    for (int i = 0; i < graph.input_size(); ++i) {
      if (scope.Find(graph.input(i).name()) != nullptr) return std::nullopt;
      body.values.emplace(graph.input(i).name(), std::move(given[static_cast<size_t>(i)]));
    }
    for (const TensorProto& tensor : graph.initializer()) {
      if (body.Find(tensor.name()) != nullptr) return std::nullopt;
    }
    for (const SparseTensorProto& tensor : graph.sparse_initializer()) {
      if (body.Find(tensor.values().name()) != nullptr) return std::nullopt;
    }
    for (const NodeProto& node : graph.node()) {
      for (const std::string& output : node.output()) {
        if (!output.empty() && body.Find(output) != nullptr) return std::nullopt;
      }
    }
    AddInitializers(graph, body);
    RunNodes(graph.node(), body);
    std::vector<Value> results;
    for (const ValueInfoProto& output : graph.output()) {
      const Value* value = body.Find(output.name());
      if (value == nullptr) return std::nullopt;
      results.push_back(*value);
    }
    return results;
  }

  static const GraphProto* GraphOf(const NodeView& node, std::string_view name) {
    const AttributeProto* attribute = node.Attribute(name);
    return attribute != nullptr && attribute->has_g() ? &attribute->g() : nullptr;
  }

  // Both branches must say the same, and the choice must not depend on the rows.
  Outcome If(const NodeView& node, const Scope& scope) {
    const GraphProto* yes = GraphOf(node, "then_branch");
    const GraphProto* no = GraphOf(node, "else_branch");
    if (yes == nullptr || no == nullptr || node.InputCount() != 1) return Outcome::Refused("does not have two branches");
    if (!node.RestIsConstant(0)) return Outcome::Refused("branches by a value that depends on the rows");
    const auto first = RunSubgraph(*yes, {}, scope);
    const auto second = RunSubgraph(*no, {}, scope);
    if (!first || !second || first->size() != second->size()) return Outcome::Refused("has branches that are not followed");
    Outcome outcome;
    for (size_t i = 0; i < first->size(); ++i) {
      const Value& a = (*first)[i];
      const Value& b = (*second)[i];
      if (a.IsMixed() || b.IsMixed()) {
        outcome.outputs.push_back(a.IsMixed() ? a : b);
        continue;
      }
      if (!SameLayout(a, b) || a.CountsRows() || b.CountsRows()) {
        return Outcome::Refused("has branches whose results have different shapes");
      }
      outcome.outputs.push_back(a.WithoutElements());
    }
    return outcome;
  }

  // One step of a Scan must leave each state as it found it: then so does every step.
  Outcome Scan(const NodeView& node, const Scope& scope) {
    const GraphProto* body = GraphOf(node, "body");
    const int64_t scanned = node.Int("num_scan_inputs", 0);
    const auto inputs = static_cast<int64_t>(node.InputCount());
    if (body == nullptr || node.opset() < kOldestScanOpset || scanned < 1 || scanned > inputs ||
        body->output_size() < inputs - scanned) {
      return Outcome::Refused("is a scan that is not followed");
    }
    const auto states = static_cast<size_t>(inputs - scanned);
    const std::vector<int64_t> axes = node.Ints("scan_input_axes").value_or(std::vector<int64_t>(static_cast<size_t>(scanned), 0));
    std::vector<Value> given;
    int64_t steps = kUnknownDim;
    for (size_t i = 0; i < node.InputCount(); ++i) {
      if (!node.Has(i) || node.In(i).CountsRows()) return Outcome::Refused("uses the number of rows as a value");
      given.push_back(node.In(i).WithoutElements());
      if (i < states || (given.back().IsFixed() && !given.back().has_rank)) continue;
      Value& slice = given.back();
      if (i - states >= axes.size()) return Outcome::Refused("has scan axes that do not fit its inputs");
      const auto axis = NormalAxis(axes[i - states], slice.rank());
      if (!axis) return Outcome::Refused("has an axis outside its input");
      if (slice.IsRows() && slice.axis == *axis) return Outcome::Refused("goes from row to row");
      if (slice.IsRows() && slice.axis > *axis) --slice.axis;
      steps = slice.Dim(*axis);
      slice.dims.erase(slice.dims.begin() + *axis);
    }
    const std::vector<Value> before(given.begin(), given.begin() + static_cast<std::ptrdiff_t>(states));
    auto results = RunSubgraph(*body, std::move(given), scope);
    if (!results) return Outcome::Refused("has a body that is not followed");
    return FinishScan(node, before, std::move(*results), steps);
  }

  static Outcome FinishScan(const NodeView& node, const std::vector<Value>& states, std::vector<Value> results,
                            int64_t steps) {
    for (const Value& result : results) {
      if (result.IsMixed()) return {std::vector<Value>(results.size(), result), {}};
      if (result.CountsRows()) return Outcome::Refused("uses the number of rows as a value");
    }
    const std::vector<int64_t> axes = node.Ints("scan_output_axes").value_or(std::vector<int64_t>{});
    for (size_t i = 0; i < results.size(); ++i) {
      Value& result = results[i] = results[i].WithoutElements();
      if (i < states.size()) {
        if (!SameLayout(result, states[i])) return Outcome::Refused("has a state that changes its shape");
        continue;
      }
      if (!result.has_rank) continue;
      const size_t output = i - states.size();
      const auto axis = NormalAxis(output < axes.size() ? axes[output] : 0, result.rank() + 1);
      if (!axis) return Outcome::Refused("has an axis outside its output");
      if (result.IsRows() && result.axis >= *axis) ++result.axis;
      result.dims.insert(result.dims.begin() + *axis, steps);
    }
    return {std::move(results), {}};
  }

  const CheckedModel& checked_;
  std::vector<std::string> reasons_;
};

}  // namespace

std::string WhyRowsAreNotIndependent(const CheckedModel& model) { return Proof(model).Run(); }

}  // namespace glasscase::onnx
