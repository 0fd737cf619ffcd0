// The allow-list of the row proof: one rule per operator, saying where the rows are in its outputs, or why
// they are no longer apart.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "rows_value.h"
#include "schema.h"

namespace glasscase::onnx {

// The attributes of a call, for the references in the called function's body.
using CallAttributes = std::unordered_map<std::string_view, const AttributeProto*>;

// A node with what is known about its inputs.
class NodeView {
 public:
  NodeView(const NodeProto& node, std::vector<const Value*> inputs, int64_t opset, const CallAttributes* call)
      : node_(node), inputs_(std::move(inputs)), opset_(opset), call_(call) {}

  size_t InputCount() const { return inputs_.size(); }
  bool Has(size_t i) const { return i < inputs_.size() && inputs_[i] != nullptr; }
  const Value& In(size_t i) const { return *inputs_[i]; }
  // True when output `i` is named, so that somebody may read it.
  bool Writes(int i) const { return i < node_.output_size() && !node_.output(i).empty(); }
  int OutputCount() const { return node_.output_size(); }
  int64_t opset() const { return opset_; }  // of the node's domain
  const NodeProto& node() const { return node_; }

  const AttributeProto* Attribute(std::string_view name) const;
  // What `attribute` of this node stands for: itself, or what the caller gave; null where the caller gave
  // none.
  const AttributeProto* Resolve(const AttributeProto& attribute) const;
  int64_t Int(std::string_view name, int64_t otherwise) const;
  std::optional<std::vector<int64_t>> Ints(std::string_view name) const;
  std::string_view Text(std::string_view name, std::string_view otherwise) const;
  // The numbers given as attribute `name` up to opset `last_as_attribute`, as input `i` from then on. Absent:
  // an empty `numbers`; `known` is false when they are given and not known, or in both places.
  struct Given {
    bool known = true;
    bool present = false;
    std::vector<int64_t> numbers;
  };
  Given Numbers(std::string_view name, int64_t last_as_attribute, size_t i) const;

  // Inputs from `first` on are fixed and do not count rows.
  bool RestIsConstant(size_t first) const;

 private:
  const NodeProto& node_;
  std::vector<const Value*> inputs_;
  int64_t opset_;
  const CallAttributes* call_;
};

// The outputs, or words that follow the node's name: "takes the mean over the rows".
struct Outcome {
  std::vector<Value> outputs;
  std::string refusal;

  static Outcome Of(Value output) { return {{std::move(output)}, {}}; }
  static Outcome Refused(std::string why) { return {{}, std::move(why)}; }
};

using Rule = Outcome (*)(const NodeView&);

struct Operator {
  std::string_view domain;
  std::string_view type;
  Rule rule;
  // How it treats inputs that are all fixed: kOpaque: outputs are fixed, of unknown shape, and no input may
  // count rows; kShapes: the rule says, and no input may count rows; kCounts: the rule says.
  enum class FixedInputs : uint8_t { kOpaque, kShapes, kCounts } fixed_inputs = FixedInputs::kOpaque;
};

// Each file of rules gives its part of the list.
std::vector<Operator> ElementwiseOperators();
std::vector<Operator> ShapeOperators();
std::vector<Operator> SelectionOperators();
std::vector<Operator> ReductionOperators();
std::vector<Operator> LinearOperators();
std::vector<Operator> LayerOperators();
std::vector<Operator> MlOperators();

// The shape and rows of operands broadcast together.
Outcome Broadcast(std::span<const Value* const> operands);

}  // namespace glasscase::onnx
