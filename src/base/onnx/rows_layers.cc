// Layers of neural networks that keep samples apart along dimension 0 (recurrent ones: along dimension 1).
#include <algorithm>

#include "rows_rules.h"

namespace glasscase::onnx {
namespace {

constexpr int kSpatialFrom = 2;  // [samples, channels, spatial...]

Outcome NotSamples() { return Outcome::Refused("does not have the rows as its samples"); }

// Input 0 has the rows as samples, everything else is constant.
bool HasSamples(const NodeView& node, int rank_min) {
  return node.Has(0) && node.In(0).IsRows() && node.In(0).axis == 0 && node.In(0).rank() >= rank_min &&
         node.RestIsConstant(1);
}

// How a window moves over one spatial dimension.
struct Window {
  std::vector<int64_t> kernel, strides, dilations, pads;
};

bool InRange(const std::vector<int64_t>& numbers, int64_t low) {
  return std::all_of(numbers.begin(), numbers.end(), [low](int64_t n) { return n >= low && n <= kBlockMax; });
}

// The window of a convolution or pooling; nothing for the rarer settings, whose output size is left unknown.
std::optional<Window> ReadWindow(const NodeView& node, std::vector<int64_t> kernel) {
  const size_t count = kernel.size();
  const std::string_view padding = node.Text("auto_pad", "NOTSET");
  if ((padding != "NOTSET" && padding != "VALID") || node.Int("ceil_mode", 0) != 0) return std::nullopt;
  Window window{std::move(kernel), node.Ints("strides").value_or(std::vector<int64_t>(count, 1)),
                node.Ints("dilations").value_or(std::vector<int64_t>(count, 1)),
                node.Ints("pads").value_or(std::vector<int64_t>(2 * count, 0))};
  if (padding == "VALID") window.pads.assign(2 * count, 0);
  const bool sizes =
      window.strides.size() == count && window.dilations.size() == count && window.pads.size() == 2 * count;
  const bool ranges = InRange(window.kernel, 1) && InRange(window.strides, 1) &&
                      InRange(window.dilations, 1) && InRange(window.pads, 0);
  return sizes && ranges ? std::optional(std::move(window)) : std::nullopt;
}

// Sets the spatial dimensions of `out`, which has those of the input.
void Slide(const std::optional<Window>& window, Value& out) {
  for (size_t i = kSpatialFrom; i < out.dims.size(); ++i) {
    int64_t& dim = out.dims[i];
    const size_t at = i - kSpatialFrom;
    if (!window || window->kernel.size() != out.dims.size() - kSpatialFrom || dim < 1 || dim > kBlockMax) {
      dim = kUnknownDim;
      continue;
    }
    const int64_t padded = dim + window->pads[at] + window->pads[at + window->kernel.size()];
    const int64_t reach = window->dilations[at] * (window->kernel[at] - 1) + 1;
    dim = padded < reach ? kUnknownDim : (padded - reach) / window->strides[at] + 1;
  }
}

Outcome Conv(const NodeView& node) {
  if (!HasSamples(node, 3) || !node.Has(1)) return NotSamples();
  const Value& weights = node.In(1);
  Value out = node.In(0);
  std::optional<Window> window;
  out.dims[1] = kUnknownDim;
  if (weights.has_rank && weights.rank() == out.rank()) {
    out.dims[1] = weights.Dim(0);
    const std::vector<int64_t> kernel(weights.dims.begin() + kSpatialFrom, weights.dims.end());
    if (node.Ints("kernel_shape").value_or(kernel) == kernel) window = ReadWindow(node, kernel);
  }
  Slide(window, out);
  return Outcome::Of(std::move(out));
}

Outcome ConvTranspose(const NodeView& node) {
  if (!HasSamples(node, 3)) return NotSamples();
  Value out = node.In(0);
  std::fill(out.dims.begin() + 1, out.dims.end(), int64_t{kUnknownDim});
  return Outcome::Of(std::move(out));
}

// The second output of MaxPool counts elements from the first sample on and is not followed.
Outcome Pool(const NodeView& node) {
  if (!HasSamples(node, 3)) return NotSamples();
  Value out = node.In(0);
  const auto kernel = node.Ints("kernel_shape");
  Slide(kernel ? ReadWindow(node, *kernel) : std::nullopt, out);
  return Outcome::Of(std::move(out));
}

Outcome GlobalPool(const NodeView& node) {
  if (!HasSamples(node, 3)) return NotSamples();
  Value out = node.In(0);
  std::fill(out.dims.begin() + kSpatialFrom, out.dims.end(), int64_t{1});
  return Outcome::Of(std::move(out));
}

// Normalises each sample by itself, or with constants.
Outcome PerSample(const NodeView& node) {
  if (!HasSamples(node, 3)) return NotSamples();
  return Outcome::Of(node.In(0));
}

Outcome BatchNormalization(const NodeView& node) {
  if (!HasSamples(node, 2)) return NotSamples();
  if (node.Int("training_mode", 0) != 0 || node.OutputCount() > 1) {
    return Outcome::Refused("normalises over the batch (training mode)");
  }
  return Outcome::Of(node.In(0));
}

Outcome DepthAndSpace(const NodeView& node) {
  if (!HasSamples(node, 4) || node.In(0).rank() != 4) return NotSamples();
  Value out = node.In(0);
  std::fill(out.dims.begin() + 1, out.dims.end(), int64_t{kUnknownDim});
  return Outcome::Of(std::move(out));
}

// RNN, GRU and LSTM: X is [steps, samples, features], Y [steps, directions, samples, units], the states
// [directions, samples, units].
Outcome Recurrent(const NodeView& node) {
  if (!node.Has(0) || !node.In(0).IsRows() || node.In(0).rank() != 3 || node.In(0).axis != 1 ||
      node.In(0).block != 1 || node.Int("layout", 0) != 0) {
    return NotSamples();
  }
  for (const size_t i : {1, 2, 3, 4, 7}) {
    if (node.Has(i) && (!node.In(i).IsFixed() || node.In(i).CountsRows())) {
      return Outcome::Refused("has weights that depend on the rows");
    }
  }
  if (node.Has(4)) return Outcome::Refused("has lengths given per sample");
  for (const size_t i : {5, 6}) {
    if (!node.Has(i)) continue;
    const Value& state = node.In(i);
    if (!state.IsRows() || state.rank() != 3 || state.axis != 1 || state.block != 1) {
      return Outcome::Refused("starts from a state that does not have the rows as its samples");
    }
  }
  const int64_t units = node.Int("hidden_size", kUnknownDim);
  const int64_t directions = node.Text("direction", "forward") == "bidirectional" ? 2 : 1;
  const int64_t size = units > 0 ? units : kUnknownDim;
  const Value steps = Value::Rows({node.In(0).Dim(0), directions, kUnknownDim, size}, 2, 1);
  const Value state = Value::Rows({directions, kUnknownDim, size}, 1, 1);
  return {{steps, state, state}, {}};
}

}  // namespace

std::vector<Operator> LayerOperators() {
  return {
      {kOnnxDomain, "Conv", Conv},
      {kOnnxDomain, "ConvTranspose", ConvTranspose},
      {kOnnxDomain, "MaxPool", Pool},
      {kOnnxDomain, "AveragePool", Pool},
      {kOnnxDomain, "LpPool", Pool},
      {kOnnxDomain, "GlobalAveragePool", GlobalPool},
      {kOnnxDomain, "GlobalMaxPool", GlobalPool},
      {kOnnxDomain, "GlobalLpPool", GlobalPool},
      {kOnnxDomain, "LRN", PerSample},
      {kOnnxDomain, "InstanceNormalization", PerSample},
      {kOnnxDomain, "GroupNormalization", PerSample},
      {kOnnxDomain, "BatchNormalization", BatchNormalization},
      {kOnnxDomain, "DepthToSpace", DepthAndSpace},
      {kOnnxDomain, "SpaceToDepth", DepthAndSpace},
      {kOnnxDomain, "RNN", Recurrent},
      {kOnnxDomain, "GRU", Recurrent},
      {kOnnxDomain, "LSTM", Recurrent},
  };
}

}  // namespace glasscase::onnx
