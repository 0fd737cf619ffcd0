// Matrix products.
#include <algorithm>

#include "rows_rules.h"

namespace glasscase::onnx {
namespace {

Outcome SumsOverRows() { return Outcome::Refused("sums over the rows"); }
Outcome Misplaced() { return Outcome::Refused("multiplies inputs whose rows lie in different dimensions"); }

// A matrix of rank 2 or more: a vector on the left is a row, on the right a column, and the dimension that
// this adds is dropped from the product.
struct Factor {
  const Value& value;
  int rank;

  explicit Factor(const Value& v) : value(v), rank(v.rank()) {}
  bool HasRowsIn(int from_end) const { return value.IsRows() && rank - value.axis == from_end; }
  // In front of the matrices.
  bool HasRowsInBatch() const { return value.IsRows() && rank - value.axis > 2; }
};

// The batch dimensions of both, broadcast; nothing when a constant has values of its own along the rows.
std::optional<std::vector<int64_t>> BatchDims(const Factor& a, const Factor& b, int rows_from_end) {
  const int rank = std::max(a.rank, b.rank);
  std::vector<int64_t> dims;
  for (int from_end = rank; from_end > 2; --from_end) {
    int64_t dim = 1;
    for (const Factor* factor : {&a, &b}) {
      if (from_end > factor->rank || factor->HasRowsIn(from_end)) continue;
      const int64_t own = factor->value.Dim(factor->rank - from_end);
      if (from_end == rows_from_end && own != 1) return std::nullopt;
      const auto both = BroadcastDim(dim, own);
      if (!both) return std::nullopt;
      dim = *both;
    }
    dims.push_back(dim);
  }
  return dims;
}

Outcome MultiplyMatrices(const Value& left, const Value& right) {
  if (!left.has_rank || !right.has_rank) return Outcome::Refused("multiplies by a constant of unknown shape");
  if (left.rank() == 0 || right.rank() == 0)
    return Outcome::Refused("multiplies something that is not a matrix");
  const Factor a(left);
  const Factor b(right);
  const bool row_vector = a.rank == 1;
  const bool column_vector = b.rank == 1;
  if (a.HasRowsIn(1) || b.HasRowsIn(column_vector ? 1 : 2)) return SumsOverRows();

  // Where the rows lie, counted from the end of the full product (2: its rows, 1: its columns, more: the
  // batch).
  int rows_from_end = 0;
  if (a.value.IsRows()) rows_from_end = a.rank - a.value.axis;
  if (b.value.IsRows()) {
    const int from_end = b.rank - b.value.axis;
    if (a.value.IsRows() &&
        (from_end != rows_from_end || !b.HasRowsInBatch() || a.value.block != b.value.block)) {
      return Misplaced();
    }
    rows_from_end = from_end;
  }
  auto dims = BatchDims(a, b, rows_from_end);
  if (!dims) return Outcome::Refused("has a factor of its own for each row");
  const int full_rank = static_cast<int>(dims->size()) + 2;
  int axis = full_rank - rows_from_end;
  if (!row_vector) {
    dims->push_back(left.Dim(left.rank() - 2));
  } else if (axis == full_rank - 1) {
    --axis;
  }
  if (!column_vector) dims->push_back(right.Dim(right.rank() - 1));
  return Outcome::Of(Value::Rows(std::move(*dims), axis, left.IsRows() ? left.block : right.block));
}

Outcome MatMul(const NodeView& node) {
  if (node.InputCount() != 2 || !node.Has(0) || !node.Has(1))
    return Outcome::Refused("does not have two inputs");
  return MultiplyMatrices(node.In(0), node.In(1));
}

Outcome MatMulInteger(const NodeView& node) {
  if (!node.Has(0) || !node.Has(1)) return Outcome::Refused("does not have two inputs");
  for (size_t i : {2, 3}) {
    // A zero point per row of the left matrix would tie rows to their place.
    if (node.Has(i) && !node.In(i).IsOneElement())
      return Outcome::Refused("has zero points of its own for each row");
  }
  return MultiplyMatrices(node.In(0), node.In(1));
}

Outcome Gemm(const NodeView& node) {
  if (!node.Has(0) || !node.Has(1)) return Outcome::Refused("does not have two inputs");
  const Value& a = node.In(0);
  const Value& b = node.In(1);
  if (a.rank() != 2 || b.rank() != 2) return Outcome::Refused("multiplies something that is not a matrix");
  if (a.IsRows() && b.IsRows()) return Misplaced();
  const bool flip_a = node.Int("transA", 0) != 0;
  const bool flip_b = node.Int("transB", 0) != 0;
  std::vector<int64_t> dims = {a.Dim(flip_a ? 1 : 0), b.Dim(flip_b ? 0 : 1)};
  Value product = Value::Fixed(dims);
  if (a.IsRows()) {
    if (a.axis != (flip_a ? 1 : 0)) return SumsOverRows();
    product = Value::Rows(std::move(dims), 0, a.block);
  } else if (b.IsRows()) {
    if (b.axis != (flip_b ? 0 : 1)) return SumsOverRows();
    product = Value::Rows(std::move(dims), 1, b.block);
  }
  if (!node.Has(2)) return product.IsRows() ? Outcome::Of(std::move(product)) : Misplaced();
  // The third input only is broadcast, and a product without rows would not take on theirs.
  if (!product.IsRows() || node.In(2).rank() > 2) return Misplaced();
  const Value* operands[] = {&product, &node.In(2)};
  return Broadcast(operands);
}

}  // namespace

std::vector<Operator> LinearOperators() {
  return {
      {kOnnxDomain, "MatMul", MatMul},
      {kOnnxDomain, "MatMulInteger", MatMulInteger},
      {kOnnxDomain, "Gemm", Gemm},
  };
}

}  // namespace glasscase::onnx
