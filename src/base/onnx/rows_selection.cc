// Operators that pick, join, repeat or pad parts of their inputs.
#include <algorithm>
#include <limits>

#include "rows_rules.h"

namespace glasscase::onnx {
namespace {

Outcome CountsAsData() { return Outcome::Refused("uses the number of rows as a value"); }

bool AnyCountsRows(const NodeView& node) {
  for (size_t i = 0; i < node.InputCount(); ++i) {
    if (node.Has(i) && node.In(i).CountsRows()) return true;
  }
  return false;
}

bool AnyRows(const NodeView& node) {
  for (size_t i = 0; i < node.InputCount(); ++i) {
    if (node.Has(i) && node.In(i).IsRows()) return true;
  }
  return false;
}

// ---- Concat, Split ----

std::optional<Value> ConcatElements(const NodeView& node) {
  std::vector<Symbol> elements;
  for (size_t i = 0; i < node.InputCount(); ++i) {
    const Value& in = node.In(i);
    if (!in.has_elements || in.rank() != 1 || in.element_type != node.In(0).element_type) return std::nullopt;
    elements.insert(elements.end(), in.elements.begin(), in.elements.end());
    if (elements.size() > kElementsTracked) return std::nullopt;
  }
  Value out = Value::Vector(std::move(elements));
  out.element_type = node.In(0).element_type;
  return out;
}

Outcome Concat(const NodeView& node) {
  for (size_t i = 0; i < node.InputCount(); ++i) {
    if (!node.Has(i)) return Outcome::Refused("has an empty input");
  }
  if (!AnyRows(node)) {
    if (auto value = ConcatElements(node)) return Outcome::Of(std::move(*value));
    return AnyCountsRows(node) ? CountsAsData() : Outcome::Of(Value::Fixed());
  }
  const Value& first = node.In(0);
  const auto axis = NormalAxis(node.Int("axis", 1), first.rank());
  if (!axis) return Outcome::Refused("has an axis outside its input");
  Value out = first;
  int64_t& joined = out.dims[static_cast<size_t>(*axis)];
  for (size_t i = 0; i < node.InputCount(); ++i) {
    const Value& in = node.In(i);
    if (!in.IsRows()) return Outcome::Refused("joins the rows with a constant");
    if (in.rank() != out.rank() || in.axis != first.axis || in.block != first.block) {
      return Outcome::Refused("joins inputs whose rows lie in different dimensions");
    }
    if (*axis == in.axis) return Outcome::Refused("puts inputs one behind the other along the rows");
    const int64_t more = in.Dim(*axis);
    if (i == 0) continue;
    const bool known =
        joined != kUnknownDim && more != kUnknownDim && joined <= kBlockMax && more <= kBlockMax;
    joined = known ? joined + more : kUnknownDim;
  }
  return Outcome::Of(std::move(out));
}

Outcome Split(const NodeView& node) {
  const Value& data = node.In(0);
  const NodeView::Given parts = node.Numbers("split", 12, 1);
  if (!data.IsRows()) return Outcome::Refused("splits a constant by the rows");
  const auto axis = NormalAxis(node.Int("axis", 0), data.rank());
  if (!axis) return Outcome::Refused("has an axis outside its input");
  if (*axis == data.axis) return Outcome::Refused("splits the rows");
  if (node.Has(1) && node.In(1).IsRows())
    return Outcome::Refused("splits by a value that depends on the rows");
  const auto count = static_cast<size_t>(node.OutputCount());
  const int64_t whole = data.Dim(*axis);
  Outcome outcome;
  for (size_t i = 0; i < count; ++i) {
    Value part = data;
    int64_t size = kUnknownDim;
    if (parts.present && parts.known && parts.numbers.size() == count) {
      size = parts.numbers[i];
    } else if (!parts.present && whole > 0 && count > 0 && whole % static_cast<int64_t>(count) == 0) {
      size = whole / static_cast<int64_t>(count);
    }
    part.dims[static_cast<size_t>(*axis)] = size >= 0 ? size : kUnknownDim;
    outcome.outputs.push_back(std::move(part));
  }
  return outcome;
}

// ---- Gather and its kin ----

Outcome GatherFixed(const Value& data, const Value& indices) {
  if (!data.has_elements || data.rank() != 1) {
    return data.CountsRows() || indices.CountsRows() ? CountsAsData() : Outcome::Of(Value::Fixed());
  }
  const auto chosen = indices.KnownNumbers();
  if (!chosen)
    return data.CountsRows() || indices.CountsRows() ? CountsAsData() : Outcome::Of(Value::Fixed());
  std::vector<Symbol> elements;
  for (const int64_t index : *chosen) {
    const auto at = NormalAxis(index, static_cast<int>(data.elements.size()));
    if (!at) return Outcome::Refused("has an index outside its input");
    elements.push_back(data.elements[static_cast<size_t>(*at)]);
  }
  Value out = indices;
  out.elements = std::move(elements);
  out.element_type = data.element_type;
  return Outcome::Of(std::move(out));
}

Outcome Gather(const NodeView& node) {
  if (!node.Has(0) || !node.Has(1)) return Outcome::Refused("does not have two inputs");
  const Value& data = node.In(0);
  const Value& indices = node.In(1);
  if (data.IsFixed() && indices.IsFixed()) return GatherFixed(data, indices);
  if (AnyCountsRows(node)) return CountsAsData();
  if (data.IsRows() && indices.IsRows()) return Outcome::Refused("picks rows by values of rows");
  if (!data.has_rank || !indices.has_rank) return Outcome::Refused("picks from a constant of unknown shape");
  const auto axis = NormalAxis(node.Int("axis", 0), data.rank());
  if (!axis) return Outcome::Refused("has an axis outside its input");
  if (data.IsRows() && *axis == data.axis) return Outcome::Refused("picks some of the rows");
  if (data.rank() + indices.rank() > kProofRankMax) return Outcome::Refused("has too many dimensions");
  std::vector<int64_t> dims(data.dims.begin(), data.dims.begin() + *axis);
  dims.insert(dims.end(), indices.dims.begin(), indices.dims.end());
  dims.insert(dims.end(), data.dims.begin() + *axis + 1, data.dims.end());
  if (indices.IsRows()) return Outcome::Of(Value::Rows(std::move(dims), *axis + indices.axis, indices.block));
  const int rows = data.axis < *axis ? data.axis : data.axis - 1 + indices.rank();
  return Outcome::Of(Value::Rows(std::move(dims), rows, data.block));
}

Outcome GatherElements(const NodeView& node) {
  if (!node.Has(0) || !node.Has(1)) return Outcome::Refused("does not have two inputs");
  const Value& data = node.In(0);
  const Value& indices = node.In(1);
  if (!data.IsRows() || !indices.IsRows() || data.rank() != indices.rank() || data.axis != indices.axis ||
      data.block != indices.block) {
    return Outcome::Refused("picks elements by indices whose rows lie elsewhere");
  }
  const auto axis = NormalAxis(node.Int("axis", 0), data.rank());
  if (!axis || *axis == data.axis) return Outcome::Refused("picks elements of other rows");
  return Outcome::Of(indices);
}

Outcome OneHot(const NodeView& node) {
  if (!node.Has(0) || !node.In(0).IsRows() || !node.RestIsConstant(1)) {
    return Outcome::Refused("has a depth or values that depend on the rows");
  }
  const Value& in = node.In(0);
  const auto axis = NormalAxis(node.Int("axis", -1), in.rank() + 1);
  if (!axis || in.rank() + 1 > kProofRankMax) return Outcome::Refused("has an axis outside its output");
  std::vector<int64_t> dims = in.dims;
  dims.insert(dims.begin() + *axis, kUnknownDim);
  return Outcome::Of(Value::Rows(std::move(dims), in.axis + (*axis <= in.axis ? 1 : 0), in.block));
}

// ---- Slice ----

struct Cut {
  std::optional<int64_t> start;
  std::optional<int64_t> end;
  std::optional<int64_t> step;
};

bool IsWhole(const Cut& cut) {
  return cut.start == 0 && cut.step == 1 && cut.end && *cut.end >= std::numeric_limits<int32_t>::max();
}

int64_t CutLength(int64_t dim, const Cut& cut) {
  if (dim == kUnknownDim || !cut.start || !cut.end || !cut.step || *cut.step < 1) return kUnknownDim;
  const auto place = [dim](int64_t at) { return std::clamp<int64_t>(at < 0 ? at + dim : at, 0, dim); };
  const int64_t begin = place(*cut.start);
  const int64_t end = place(*cut.end);
  return end <= begin ? 0 : (end - begin - 1) / *cut.step + 1;
}

// The axes of a Slice with what is cut from each; nothing where the axes are not known.
std::optional<std::vector<std::pair<int, Cut>>> ReadCuts(const NodeView& node, int rank) {
  const NodeView::Given starts = node.Numbers("starts", 9, 1);
  const NodeView::Given ends = node.Numbers("ends", 9, 2);
  const NodeView::Given axes = node.Numbers("axes", 9, 3);
  const NodeView::Given steps = node.Numbers("steps", 9, 4);
  if (!axes.known || !starts.present || !ends.present) return std::nullopt;
  size_t count = axes.numbers.size();
  if (!axes.present) {
    if (!starts.known) return std::nullopt;
    count = starts.numbers.size();
  }
  std::vector<std::pair<int, Cut>> cuts;
  for (size_t i = 0; i < count; ++i) {
    const auto axis = NormalAxis(axes.present ? axes.numbers[i] : static_cast<int64_t>(i), rank);
    if (!axis) return std::nullopt;
    const auto at = [i](const NodeView::Given& given) {
      return given.known && i < given.numbers.size() ? std::optional(given.numbers[i]) : std::nullopt;
    };
    cuts.push_back({*axis, {at(starts), at(ends), steps.present ? at(steps) : std::optional<int64_t>(1)}});
  }
  return cuts;
}

Outcome SliceElements(const Value& data, const Cut& cut) {
  const auto size = static_cast<int64_t>(data.elements.size());
  const int64_t length = CutLength(size, cut);
  if (length == kUnknownDim) return data.CountsRows() ? CountsAsData() : Outcome::Of(Value::Fixed());
  const int64_t begin = std::clamp<int64_t>(*cut.start < 0 ? *cut.start + size : *cut.start, 0, size);
  std::vector<Symbol> elements;
  for (int64_t i = 0; i < length; ++i)
    elements.push_back(data.elements[static_cast<size_t>(begin + i * *cut.step)]);
  Value out = Value::Vector(std::move(elements));
  out.element_type = data.element_type;
  return Outcome::Of(std::move(out));
}

Outcome Slice(const NodeView& node) {
  const Value& data = node.In(0);
  for (size_t i = 1; i < node.InputCount(); ++i) {
    if (node.Has(i) && (!node.In(i).IsFixed() || node.In(i).CountsRows())) {
      return Outcome::Refused("cuts at a place that depends on the rows");
    }
  }
  if (!data.has_rank) return Outcome::Of(Value::Fixed());
  const auto cuts = ReadCuts(node, data.rank());
  if (data.IsFixed()) {
    if (cuts && cuts->size() == 1 && data.has_elements && data.rank() == 1)
      return SliceElements(data, cuts->front().second);
    return data.CountsRows() ? CountsAsData() : Outcome::Of(Value::Fixed());
  }
  if (!cuts) return Outcome::Refused("cuts dimensions that are not known");
  Value out = data;
  for (const auto& [axis, cut] : *cuts) {
    if (axis == data.axis) {
      if (!IsWhole(cut)) return Outcome::Refused("cuts away some of the rows");
      continue;
    }
    out.dims[static_cast<size_t>(axis)] = CutLength(out.Dim(axis), cut);
  }
  return Outcome::Of(std::move(out));
}

// ---- Pad, Tile, Trilu ----

Outcome Pad(const NodeView& node) {
  if (!node.Has(0) || !node.In(0).IsRows() || !node.RestIsConstant(1)) {
    return Outcome::Refused("pads by a value that depends on the rows");
  }
  Value out = node.In(0);
  const NodeView::Given pads = node.Numbers("pads", 10, 1);
  const NodeView::Given axes = node.Numbers("axes", 0, 3);
  if (!pads.known || !pads.present || !axes.known)
    return Outcome::Refused("pads dimensions that are not known");
  const size_t count = axes.present ? axes.numbers.size() : out.dims.size();
  if (pads.numbers.size() != 2 * count) return Outcome::Refused("has pads that do not fit its input");
  std::vector<bool> seen(out.dims.size(), false);
  for (size_t i = 0; i < count; ++i) {
    const auto axis = NormalAxis(axes.present ? axes.numbers[i] : static_cast<int64_t>(i), out.rank());
    if (!axis || seen[static_cast<size_t>(*axis)]) return Outcome::Refused("has an axis outside its input");
    seen[static_cast<size_t>(*axis)] = true;
    const int64_t before = pads.numbers[i];
    const int64_t behind = pads.numbers[i + count];
    if (*axis == out.axis) {
      if (before != 0 || behind != 0) return Outcome::Refused("pads along the rows");
      continue;
    }
    int64_t& dim = out.dims[static_cast<size_t>(*axis)];
    const bool small =
        before >= 0 && before <= kBlockMax && behind >= 0 && behind <= kBlockMax && dim <= kBlockMax;
    dim = small && dim != kUnknownDim ? dim + before + behind : kUnknownDim;
  }
  return Outcome::Of(std::move(out));
}

Outcome Tile(const NodeView& node) {
  if (!node.Has(0) || !node.Has(1) || !node.In(0).IsRows() || !node.RestIsConstant(1)) {
    return Outcome::Refused("repeats by a value that depends on the rows");
  }
  Value out = node.In(0);
  const auto repeats = node.In(1).KnownNumbers();
  if (!repeats || repeats->size() != out.dims.size())
    return Outcome::Refused("repeats dimensions that are not known");
  for (size_t i = 0; i < repeats->size(); ++i) {
    if (static_cast<int>(i) == out.axis) {
      if ((*repeats)[i] != 1) return Outcome::Refused("repeats the rows");
      continue;
    }
    out.dims[i] = Multiply(out.dims[i], (*repeats)[i]).value_or(kUnknownDim);
  }
  return Outcome::Of(std::move(out));
}

Outcome Trilu(const NodeView& node) {
  if (!node.Has(0) || !node.In(0).IsRows() || !node.RestIsConstant(1)) {
    return Outcome::Refused("has a diagonal that depends on the rows");
  }
  const Value& in = node.In(0);
  if (in.axis >= in.rank() - 2)
    return Outcome::Refused("keeps a triangle of a matrix that has the rows on one side");
  return Outcome::Of(in);
}

}  // namespace

std::vector<Operator> SelectionOperators() {
  using Fixed = Operator::FixedInputs;
  return {
      {kOnnxDomain, "Concat", Concat, Fixed::kCounts},
      {kOnnxDomain, "Split", Split},
      {kOnnxDomain, "Gather", Gather, Fixed::kCounts},
      {kOnnxDomain, "GatherElements", GatherElements},
      {kOnnxDomain, "OneHot", OneHot},
      {kOnnxDomain, "Slice", Slice, Fixed::kCounts},
      {kOnnxDomain, "Pad", Pad},
      {kOnnxDomain, "Tile", Tile},
      {kOnnxDomain, "Trilu", Trilu},
  };
}

}  // namespace glasscase::onnx
