// Operators that work along some dimensions: reductions, softmax, sorting, normalisation.
#include <algorithm>

#include "rows_rules.h"

namespace glasscase::onnx {
namespace {

constexpr std::string_view kReductions[] = {"ReduceL1",  "ReduceL2",       "ReduceLogSum", "ReduceLogSumExp",
                                            "ReduceMax", "ReduceMean",     "ReduceMin",    "ReduceProd",
                                            "ReduceSum", "ReduceSumSquare"};

Outcome AlongRows() { return Outcome::Refused("works along the rows"); }
Outcome OddAxis() { return Outcome::Refused("has an axis outside its input"); }

// Whether input 0 holds the rows and everything else is constant.
bool OnlyDataHasRows(const NodeView& node) {
  return node.Has(0) && node.In(0).IsRows() && node.RestIsConstant(1);
}
Outcome SettingsHaveRows() { return Outcome::Refused("has settings that depend on the rows"); }

// `data` with the given dimensions reduced to 1 or, unless `keep`, gone.
Value Reduced(const Value& data, const std::vector<bool>& reduced, bool keep) {
  Value out = data;
  out.dims.clear();
  for (int i = 0; i < data.rank(); ++i) {
    if (data.IsRows() && i == data.axis) out.axis = out.rank();
    if (!reduced[static_cast<size_t>(i)]) {
      out.dims.push_back(data.Dim(i));
    } else if (keep) {
      out.dims.push_back(1);
    }
  }
  return out;
}

// The shape of a reduced constant: a bias made of weights needs it.
Outcome ReduceConstant(const NodeView& node, const NodeView::Given& axes) {
  const Value data = node.In(0).WithoutElements();
  if (!data.has_rank || !axes.known || !axes.present || axes.numbers.empty())
    return Outcome::Of(Value::Fixed());
  std::vector<bool> reduced(data.dims.size(), false);
  for (const int64_t number : axes.numbers) {
    const auto axis = NormalAxis(number, data.rank());
    if (!axis) return OddAxis();
    reduced[static_cast<size_t>(*axis)] = true;
  }
  return Outcome::Of(Reduced(data, reduced, node.Int("keepdims", 1) != 0));
}

Outcome Reduce(const NodeView& node) {
  const bool sum = node.node().op_type() == "ReduceSum";
  const NodeView::Given axes = node.Numbers("axes", sum ? 12 : 17, 1);
  if (node.RestIsConstant(0)) return ReduceConstant(node, axes);
  if (!OnlyDataHasRows(node)) return SettingsHaveRows();
  const Value& data = node.In(0);
  if (!axes.known) return Outcome::Refused("reduces dimensions that are not known");
  if (!axes.present || axes.numbers.empty()) {
    if (node.Int("noop_with_empty_axes", 0) != 0 && !axes.present) return Outcome::Of(data);
    return AlongRows();
  }
  std::vector<bool> reduced(data.dims.size(), false);
  for (const int64_t number : axes.numbers) {
    const auto axis = NormalAxis(number, data.rank());
    if (!axis) return OddAxis();
    if (*axis == data.axis) return AlongRows();
    reduced[static_cast<size_t>(*axis)] = true;
  }
  return Outcome::Of(Reduced(data, reduced, node.Int("keepdims", 1) != 0));
}

Outcome ArgExtreme(const NodeView& node) {
  if (!OnlyDataHasRows(node)) return SettingsHaveRows();
  const Value& data = node.In(0);
  const auto axis = NormalAxis(node.Int("axis", 0), data.rank());
  if (!axis) return OddAxis();
  if (*axis == data.axis) return AlongRows();
  std::vector<bool> reduced(data.dims.size(), false);
  reduced[static_cast<size_t>(*axis)] = true;
  return Outcome::Of(Reduced(data, reduced, node.Int("keepdims", 1) != 0));
}

// Until opset 12 the input was flattened at `axis` and normalised over all dimensions from there.
Outcome Softmax(const NodeView& node) {
  if (!OnlyDataHasRows(node)) return SettingsHaveRows();
  const Value& data = node.In(0);
  const bool flattens = node.opset() < 13;
  const auto axis = NormalAxis(node.Int("axis", flattens ? 1 : -1), data.rank());
  if (!axis) return OddAxis();
  if (flattens ? *axis <= data.axis : *axis == data.axis) return AlongRows();
  return Outcome::Of(data);
}

Outcome CumulativeSum(const NodeView& node) {
  if (!OnlyDataHasRows(node) || !node.Has(1)) return SettingsHaveRows();
  const auto numbers = node.In(1).KnownNumbers();
  if (!numbers || numbers->size() != 1) return Outcome::Refused("sums along a dimension that is not known");
  const auto axis = NormalAxis(numbers->front(), node.In(0).rank());
  if (!axis) return OddAxis();
  return *axis == node.In(0).axis ? AlongRows() : Outcome::Of(node.In(0));
}

Outcome TopK(const NodeView& node) {
  if (!OnlyDataHasRows(node)) return SettingsHaveRows();
  Value out = node.In(0);
  const auto axis = NormalAxis(node.Int("axis", -1), out.rank());
  if (!axis) return OddAxis();
  if (*axis == out.axis) return AlongRows();
  const NodeView::Given count = node.Numbers("k", 9, 1);
  const bool known = count.known && count.numbers.size() == 1 && count.numbers.front() >= 0;
  out.dims[static_cast<size_t>(*axis)] = known ? count.numbers.front() : kUnknownDim;
  return {{out, out}, {}};
}

Outcome LpNormalization(const NodeView& node) {
  if (!OnlyDataHasRows(node)) return SettingsHaveRows();
  const auto axis = NormalAxis(node.Int("axis", -1), node.In(0).rank());
  if (!axis) return OddAxis();
  return *axis == node.In(0).axis ? AlongRows() : Outcome::Of(node.In(0));
}

// True when a scale or bias may give rows values of their own; it is broadcast from the last dimension.
bool DiffersByRow(const NodeView& node, size_t i) {
  if (!node.Has(i)) return false;
  const Value& constant = node.In(i);
  const Value& data = node.In(0);
  if (!constant.has_rank) return true;
  const int at = data.axis - (data.rank() - constant.rank());
  return constant.rank() > data.rank() || (at >= 0 && constant.Dim(at) != 1);
}

// LayerNormalization and RMSNormalization work over all dimensions from `axis` on.
Outcome LayerNormalization(const NodeView& node) {
  if (!OnlyDataHasRows(node)) return SettingsHaveRows();
  const Value& data = node.In(0);
  const auto axis = NormalAxis(node.Int("axis", -1), data.rank());
  if (!axis) return OddAxis();
  if (*axis <= data.axis) return AlongRows();
  if (DiffersByRow(node, 1) || DiffersByRow(node, 2))
    return Outcome::Refused("gives each row a constant of its own");
  return Outcome::Of(data);
}

// Linear quantisation with given scales; DynamicQuantizeLinear, which takes its scale from the whole batch,
// is not on the list.
Outcome Quantize(const NodeView& node) {
  if (!OnlyDataHasRows(node) || !node.Has(1)) return SettingsHaveRows();
  const Value& data = node.In(0);
  const Value& scale = node.In(1);
  if (!scale.has_rank || node.Int("block_size", 0) != 0)
    return Outcome::Refused("has scales of unknown shape");
  if (scale.rank() == 0 || scale.IsOneElement()) return Outcome::Of(data);
  const auto axis = NormalAxis(node.Int("axis", 1), data.rank());
  if (!axis || scale.rank() != 1) return OddAxis();
  if (*axis == data.axis) return Outcome::Refused("gives each row a scale of its own");
  return Outcome::Of(data);
}

}  // namespace

std::vector<Operator> ReductionOperators() {
  std::vector<Operator> operators = {
      {kOnnxDomain, "ArgMax", ArgExtreme},
      {kOnnxDomain, "ArgMin", ArgExtreme},
      {kOnnxDomain, "Softmax", Softmax},
      {kOnnxDomain, "LogSoftmax", Softmax},
      {kOnnxDomain, "Hardmax", Softmax},
      {kOnnxDomain, "CumSum", CumulativeSum},
      {kOnnxDomain, "TopK", TopK},
      {kOnnxDomain, "LpNormalization", LpNormalization},
      {kOnnxDomain, "LayerNormalization", LayerNormalization},
      {kOnnxDomain, "RMSNormalization", LayerNormalization},
      {kOnnxDomain, "QuantizeLinear", Quantize},
      {kOnnxDomain, "DequantizeLinear", Quantize},
  };
  for (const auto type : kReductions) {
    operators.push_back({kOnnxDomain, type, Reduce, Operator::FixedInputs::kShapes});
  }
  return operators;
}

}  // namespace glasscase::onnx
