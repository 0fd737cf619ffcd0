// Operators that give a tensor another shape or make one from a shape.
#include <algorithm>

#include "rows_rules.h"

namespace glasscase::onnx {
namespace {

using Kind = Symbol::Kind;

// ---- Reshape ----

struct Target {
  Symbol symbol;
  int copied_from = -1;  // the input's dimension that a 0 in the shape copies
};

// The wanted shape with its zeros replaced by what they copy; a refusal text otherwise.
std::string ResolveTargets(const Value& data, const Value& shape, bool zero_copies,
                           std::vector<Target>& targets) {
  int inferred = 0;
  for (size_t i = 0; i < shape.elements.size(); ++i) {
    Target target{shape.elements[i]};
    const int at = static_cast<int>(i);
    if (target.symbol.IsKnown(0) && zero_copies) {
      if (at >= data.rank()) return "reshapes to a shape that copies a dimension it does not have";
      target.copied_from = at;
      const int64_t dim = data.Dim(at);
      target.symbol = data.IsRows() && at == data.axis ? Symbol::RowCount(data.block)
                      : dim == kUnknownDim             ? Symbol::Fixed()
                                                       : Symbol::Known(dim);
    } else if (target.symbol.kind == Kind::kFixed && zero_copies && data.IsRows() && at == data.axis) {
      // Were it 0 at run time, it would stand for the number of rows.
      return "reshapes to a shape that is not known";
    } else if (target.symbol.kind == Kind::kKnown && target.symbol.number < 0) {
      if (target.symbol.number != -1 || ++inferred > 1) return "reshapes to an impossible shape";
    }
    targets.push_back(target);
  }
  return {};
}

// The elements of one row, where all of `data`'s dimensions behind its rows are known and none is 0.
std::optional<int64_t> ElementsPerRow(const Value& data) {
  const auto rest = Product(std::span(data.dims).subspan(static_cast<size_t>(data.axis) + 1));
  const auto elements = rest ? Multiply(*rest, data.block) : std::nullopt;
  return elements && *elements > 0 ? elements : std::nullopt;
}

// The product of targets[first..], leaving out a -1; nothing where one is unknown or 0.
std::optional<int64_t> ProductOfRest(std::span<const Target> targets) {
  std::optional<int64_t> product = 1;
  for (const Target& target : targets) {
    if (target.symbol.IsKnown(-1)) continue;
    if (target.symbol.kind != Kind::kKnown || target.symbol.number == 0 || !product) return std::nullopt;
    product = Multiply(*product, target.symbol.number);
  }
  return product;
}

// The dimensions behind the rows: a -1 among them is inferred from the elements of a single row, since N
// cancels. False when one of them counts rows too.
bool AppendRest(const Value& data, int64_t block, std::span<const Target> rest, std::vector<int64_t>& dims) {
  const auto elements = ElementsPerRow(data);
  const auto product = ProductOfRest(rest);
  const int64_t known = product ? Multiply(*product, block).value_or(0) : 0;
  for (const Target& target : rest) {
    if (target.symbol.kind == Kind::kRowCount) return false;
    if (target.symbol.IsKnown(-1)) {
      const bool divides = elements && known > 0 && *elements % known == 0;
      dims.push_back(divides ? *elements / known : kUnknownDim);
    } else {
      dims.push_back(target.symbol.kind == Kind::kKnown ? target.symbol.number : kUnknownDim);
    }
  }
  return true;
}

// Elements are kept in row-major order, so a row stays in one piece where everything before its dimension
// stays as it is (dimensions of 1 aside), and the new dimension is N times a divisor of the elements of one
// row.
Outcome ReshapeRows(const Value& data, const std::vector<Target>& targets) {
  std::vector<int> before;  // the dimensions before the rows that are not 1
  for (int i = 0; i < data.axis; ++i) {
    if (data.Dim(i) != 1) before.push_back(i);
  }
  std::vector<int64_t> dims;
  size_t matched = 0;
  for (size_t i = 0; i < targets.size(); ++i) {
    const Symbol& symbol = targets[i].symbol;
    if (symbol.IsKnown(1)) {
      dims.push_back(1);
      continue;
    }
    if (matched < before.size()) {
      const int64_t dim = data.Dim(before[matched]);
      const bool same =
          targets[i].copied_from == before[matched] || (dim != kUnknownDim && symbol.IsKnown(dim));
      if (!same) break;
      dims.push_back(dim);
      ++matched;
      continue;
    }
    const std::span rest = std::span(targets).subspan(i + 1);
    int64_t block = symbol.kind == Kind::kRowCount ? symbol.number : 0;
    if (symbol.IsKnown(-1)) {
      const auto elements = ElementsPerRow(data);
      const auto product = ProductOfRest(rest);
      if (elements && product && *elements % *product == 0) block = *elements / *product;
    }
    if (block < 1 || block > kBlockMax) break;
    const int axis = static_cast<int>(dims.size());
    dims.push_back(kUnknownDim);
    if (!AppendRest(data, block, rest, dims)) break;
    return Outcome::Of(Value::Rows(std::move(dims), axis, block));
  }
  return Outcome::Refused("reshapes so that rows may no longer be in one piece");
}

Outcome ReshapeFixed(const Value& data, const std::vector<Target>& targets) {
  std::vector<int64_t> dims;
  for (const Target& target : targets) {
    if (target.symbol.kind == Kind::kRowCount)
      return Outcome::Refused("gives a constant the number of rows as shape");
    dims.push_back(target.symbol.kind == Kind::kKnown && target.symbol.number >= 0 ? target.symbol.number
                                                                                   : kUnknownDim);
  }
  const bool one_inferred = std::count(dims.begin(), dims.end(), kUnknownDim) == 1;
  const int64_t elements = data.has_rank ? Product(data.dims).value_or(-1) : -1;
  const int64_t product = ProductOfRest(targets).value_or(0);
  if (one_inferred && elements >= 0 && product > 0 && elements % product == 0) {
    std::replace(dims.begin(), dims.end(), int64_t{kUnknownDim}, elements / product);
  }
  Value out = Value::Fixed(std::move(dims));
  if (data.has_elements && out.rank() <= 1 &&
      Product(out.dims) == static_cast<int64_t>(data.elements.size())) {
    out.has_elements = true;
    out.element_type = data.element_type;
    out.elements = data.elements;
  } else if (data.CountsRows()) {
    return Outcome::Refused("uses the number of rows as a value");
  }
  return Outcome::Of(std::move(out));
}

Outcome Reshape(const NodeView& node) {
  if (!node.Has(0) || !node.Has(1)) return Outcome::Refused("does not have two inputs");
  const Value& data = node.In(0);
  const Value& shape = node.In(1);
  if (!shape.IsFixed() || !shape.has_elements || shape.rank() != 1) {
    return data.IsFixed() && shape.IsFixed() && !data.CountsRows()
               ? Outcome::Of(Value::Fixed())
               : Outcome::Refused("reshapes to a shape that is not known");
  }
  const bool zero_copies = node.Int("allowzero", 0) == 0;
  if (data.IsFixed() && !data.has_rank) {
    return shape.CountsRows() ? Outcome::Refused("reshapes a constant of unknown shape")
                              : Outcome::Of(Value::Fixed());
  }
  std::vector<Target> targets;
  std::string refusal = ResolveTargets(data, shape, zero_copies, targets);
  if (!refusal.empty()) return Outcome::Refused(std::move(refusal));
  return data.IsRows() ? ReshapeRows(data, targets) : ReshapeFixed(data, targets);
}

// ---- Flatten, Squeeze, Unsqueeze, Transpose ----

Outcome Flatten(const NodeView& node) {
  const Value& data = node.In(0);
  if (!data.has_rank) return Outcome::Of(Value::Fixed({kUnknownDim, kUnknownDim}));
  const int64_t given = node.Int("axis", 1);
  const auto split =
      given == data.rank() ? std::optional(data.rank()) : NormalAxis(given, std::max(data.rank(), 1));
  if (!split) return Outcome::Refused("has an axis outside its input");
  const std::span dims(data.dims);
  const auto at = static_cast<size_t>(*split);
  const int64_t left = Product(dims.first(at)).value_or(kUnknownDim);
  const int64_t right = Product(dims.subspan(at)).value_or(kUnknownDim);
  if (data.IsFixed()) return Outcome::Of(Value::Fixed({left, right}));

  // The rows must be the outermost dimension of their half.
  const auto axis = static_cast<size_t>(data.axis);
  const size_t begin = axis < at ? 0 : at;
  const size_t end = axis < at ? at : dims.size();
  const auto outside = dims.subspan(begin, axis - begin);
  const auto inside = Product(dims.subspan(axis + 1, end - axis - 1));
  const int64_t block = inside ? Multiply(*inside, data.block).value_or(0) : 0;
  const bool outermost = std::all_of(outside.begin(), outside.end(), [](int64_t dim) { return dim == 1; });
  if (!outermost || block < 1 || block > kBlockMax) {
    return Outcome::Refused("flattens so that rows may no longer be in one piece");
  }
  return Outcome::Of(Value::Rows({left, right}, axis < at ? 0 : 1, block));
}

Outcome Squeeze(const NodeView& node) {
  if (!node.RestIsConstant(1)) return Outcome::Refused("removes dimensions that depend on the rows");
  const Value& data = node.In(0);
  const NodeView::Given given = node.Numbers("axes", 12, 1);
  if (data.IsFixed() && (!data.has_rank || !given.known || !given.present)) {
    return data.CountsRows() ? Outcome::Refused("uses the number of rows as a value")
                             : Outcome::Of(Value::Fixed());
  }
  if (!given.known || !given.present) return Outcome::Refused("removes dimensions that it does not name");
  std::vector<bool> removed(data.dims.size(), false);
  for (const int64_t number : given.numbers) {
    const auto axis = NormalAxis(number, data.rank());
    if (!axis) return Outcome::Refused("has an axis outside its input");
    if (data.IsRows() && *axis == data.axis) return Outcome::Refused("removes the dimension of the rows");
    removed[static_cast<size_t>(*axis)] = true;
  }
  Value out = data;
  out.dims.clear();
  for (int i = 0; i < data.rank(); ++i) {
    if (data.IsRows() && i == data.axis) out.axis = out.rank();
    if (!removed[static_cast<size_t>(i)]) out.dims.push_back(data.Dim(i));
  }
  return Outcome::Of(std::move(out));
}

Outcome Unsqueeze(const NodeView& node) {
  if (!node.RestIsConstant(1)) return Outcome::Refused("adds dimensions that depend on the rows");
  const Value& data = node.In(0);
  const NodeView::Given given = node.Numbers("axes", 12, 1);
  if (data.IsFixed() && (!data.has_rank || !given.known || !given.present)) {
    return data.CountsRows() ? Outcome::Refused("uses the number of rows as a value")
                             : Outcome::Of(Value::Fixed());
  }
  if (!given.known || !given.present) return Outcome::Refused("adds dimensions that it does not name");
  const size_t rank = data.dims.size() + given.numbers.size();
  if (rank > static_cast<size_t>(kProofRankMax)) return Outcome::Refused("has too many dimensions");
  std::vector<bool> added(rank, false);
  for (const int64_t number : given.numbers) {
    const auto axis = NormalAxis(number, static_cast<int>(rank));
    if (!axis || added[static_cast<size_t>(*axis)]) return Outcome::Refused("has an axis outside its output");
    added[static_cast<size_t>(*axis)] = true;
  }
  Value out = data;
  out.dims.clear();
  int from = 0;
  for (size_t i = 0; i < rank; ++i) {
    if (!added[i] && data.IsRows() && from == data.axis) out.axis = static_cast<int>(i);
    out.dims.push_back(added[i] ? 1 : data.Dim(from++));
  }
  if (out.rank() > 1) {
    if (data.CountsRows()) return Outcome::Refused("uses the number of rows as a value");
    out = out.WithoutElements();
  }
  return Outcome::Of(std::move(out));
}

Outcome Transpose(const NodeView& node) {
  const Value& data = node.In(0);
  if (!data.has_rank) return Outcome::Of(Value::Fixed());
  const auto rank = data.dims.size();
  std::vector<int64_t> order;
  if (const auto given = node.Ints("perm")) {
    order = *given;
  } else {
    for (size_t i = 0; i < rank; ++i) order.push_back(static_cast<int64_t>(rank - 1 - i));
  }
  std::vector<bool> used(rank, false);
  Value out = data.WithoutElements();
  if (order.size() != rank) return Outcome::Refused("has a perm that does not fit its input");
  for (size_t i = 0; i < rank; ++i) {
    const auto from = static_cast<size_t>(order[i]);
    if (order[i] < 0 || from >= rank || used[from])
      return Outcome::Refused("has a perm that does not fit its input");
    used[from] = true;
    out.dims[i] = data.dims[from];
    if (data.IsRows() && static_cast<int>(from) == data.axis) out.axis = static_cast<int>(i);
  }
  return Outcome::Of(std::move(out));
}

// ---- shapes as values ----

Outcome Shape(const NodeView& node) {
  const Value& data = node.In(0);
  if (!data.has_rank) return Outcome::Of(Value::Fixed({kUnknownDim}));
  const int rank = data.rank();
  const auto clamp = [rank](int64_t at) { return std::clamp<int64_t>(at < 0 ? at + rank : at, 0, rank); };
  const int64_t begin = clamp(node.Int("start", 0));
  const int64_t end = clamp(node.Int("end", rank));
  std::vector<Symbol> elements;
  for (int64_t i = begin; i < end; ++i) {
    const int at = static_cast<int>(i);
    if (data.IsRows() && at == data.axis) {
      elements.push_back(Symbol::RowCount(data.block));
    } else {
      elements.push_back(data.Dim(at) == kUnknownDim ? Symbol::Fixed() : Symbol::Known(data.Dim(at)));
    }
  }
  return Outcome::Of(Value::Vector(std::move(elements)));
}

// The dimensions that a shape tensor asks for; where one counts rows, the result is made of equal rows.
Outcome OfShape(std::span<const Symbol> elements) {
  std::vector<int64_t> dims;
  int axis = -1;
  int64_t block = 1;
  for (const Symbol& element : elements) {
    if (element.kind == Kind::kRowCount) {
      if (axis >= 0) return Outcome::Refused("makes a tensor with the rows in two dimensions");
      axis = static_cast<int>(dims.size());
      block = element.number;
    }
    const bool known = element.kind == Kind::kKnown;
    if (known && element.number < 0) return Outcome::Refused("makes a tensor with a negative dimension");
    dims.push_back(known ? element.number : kUnknownDim);
  }
  return Outcome::Of(axis < 0 ? Value::Fixed(std::move(dims)) : Value::Rows(std::move(dims), axis, block));
}

Outcome ConstantOfShape(const NodeView& node) {
  const Value& shape = node.In(0);
  if (!shape.IsFixed()) return Outcome::Refused("makes a tensor whose shape depends on the rows");
  if (!shape.has_elements || shape.rank() != 1) {
    return shape.CountsRows() ? Outcome::Refused("uses the number of rows as a value")
                              : Outcome::Of(Value::Fixed());
  }
  if (shape.elements.size() > static_cast<size_t>(kProofRankMax))
    return Outcome::Refused("has too many dimensions");
  Outcome outcome = OfShape(shape.elements);
  if (!outcome.refusal.empty() || !outcome.outputs.front().IsFixed()) return outcome;
  // Small vectors of one integer steer Expand in what PyTorch exports.
  Value& out = outcome.outputs.front();
  const AttributeProto* value = node.Attribute("value");
  if (out.rank() != 1 || out.Dim(0) < 0 || static_cast<size_t>(out.Dim(0)) > kElementsTracked ||
      value == nullptr || value->t().data_type() != TensorProto::INT64) {
    return outcome;
  }
  int64_t number = 0;
  if (value->t().int64_data_size() == 1) {
    number = value->t().int64_data(0);
  } else if (value->t().raw_data().size() == sizeof number) {
    value->t().raw_data().copy(reinterpret_cast<char*>(&number), sizeof number);
  } else {
    return outcome;
  }
  out = Value::Vector(std::vector<Symbol>(static_cast<size_t>(out.Dim(0)), Symbol::Known(number)));
  return outcome;
}

Outcome Expand(const NodeView& node) {
  if (!node.Has(1)) return Outcome::Refused("has no shape");
  const Value& data = node.In(0);
  const Value& shape = node.In(1);
  if (data.CountsRows()) return Outcome::Refused("uses the number of rows as a value");
  if (!shape.IsFixed() || !shape.has_elements || shape.rank() != 1 || !data.has_rank) {
    return data.IsFixed() && shape.IsFixed() && !shape.CountsRows()
               ? Outcome::Of(Value::Fixed())
               : Outcome::Refused("expands to a shape that is not known");
  }
  if (shape.elements.size() > static_cast<size_t>(kProofRankMax))
    return Outcome::Refused("has too many dimensions");
  // The same as broadcasting with a tensor of that shape, whatever its elements are.
  Outcome target = OfShape(shape.elements);
  if (!target.refusal.empty()) return target;
  const Value* operands[] = {&data, &target.outputs.front()};
  return Broadcast(operands);
}

}  // namespace

std::vector<Operator> ShapeOperators() {
  using Fixed = Operator::FixedInputs;
  return {
      {kOnnxDomain, "Reshape", Reshape, Fixed::kCounts},
      {kOnnxDomain, "Flatten", Flatten, Fixed::kShapes},
      {kOnnxDomain, "Squeeze", Squeeze, Fixed::kCounts},
      {kOnnxDomain, "Unsqueeze", Unsqueeze, Fixed::kCounts},
      {kOnnxDomain, "Transpose", Transpose, Fixed::kShapes},
      {kOnnxDomain, "Shape", Shape, Fixed::kShapes},
      {kOnnxDomain, "ConstantOfShape", ConstantOfShape, Fixed::kCounts},
      {kOnnxDomain, "Expand", Expand, Fixed::kCounts},
  };
}

}  // namespace glasscase::onnx
