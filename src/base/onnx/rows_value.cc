#include "rows_value.h"

#include <algorithm>
#include <utility>

namespace glasscase::onnx {

Value Value::Fixed() { return {}; }

Value Value::Fixed(std::vector<int64_t> dims) {
  Value value;
  value.has_rank = true;
  value.dims = std::move(dims);
  return value;
}

Value Value::Rows(std::vector<int64_t> dims, int axis, int64_t block) {
  Value value;
  value.kind = Kind::kRows;
  value.has_rank = true;
  value.dims = std::move(dims);
  value.dims[static_cast<size_t>(axis)] = kUnknownDim;
  value.axis = axis;
  value.block = block;
  return value;
}

Value Value::Vector(std::vector<Symbol> elements) {
  Value value = Fixed({static_cast<int64_t>(elements.size())});
  value.has_elements = true;
  value.elements = std::move(elements);
  return value;
}

Value Value::Scalar(Symbol element) {
  Value value = Fixed(std::vector<int64_t>{});
  value.has_elements = true;
  value.elements = {element};
  return value;
}

bool Value::CountsRows() const {
  return has_elements && std::any_of(elements.begin(), elements.end(),
                                     [](const Symbol& s) { return s.kind == Symbol::Kind::kRowCount; });
}

bool Value::IsOneElement() const {
  return IsFixed() && has_rank && std::all_of(dims.begin(), dims.end(), [](int64_t dim) { return dim == 1; });
}

std::optional<std::vector<int64_t>> Value::KnownNumbers() const {
  if (!has_elements) return std::nullopt;
  std::vector<int64_t> numbers;
  for (const Symbol& element : elements) {
    if (element.kind != Symbol::Kind::kKnown) return std::nullopt;
    numbers.push_back(element.number);
  }
  return numbers;
}

Value Value::WithoutElements() const {
  Value value = *this;
  value.has_elements = false;
  value.elements.clear();
  return value;
}

bool SameLayout(const Value& a, const Value& b) {
  if (a.kind != b.kind || a.has_rank != b.has_rank || a.dims != b.dims) return false;
  return !a.IsRows() || (a.axis == b.axis && a.block == b.block);
}

std::optional<int64_t> Multiply(int64_t a, int64_t b) {
  constexpr int64_t kMax = int64_t{1} << 62;
  if (a < 0 || b < 0 || (a != 0 && b > kMax / a)) return std::nullopt;
  return a * b;
}

std::optional<int64_t> Product(std::span<const int64_t> dims) {
  std::optional<int64_t> product = 1;
  for (const int64_t dim : dims) {
    if (!product) return std::nullopt;
    product = Multiply(*product, dim);  // nothing for kUnknownDim, which is negative
  }
  return product;
}

std::optional<int> NormalAxis(int64_t axis, int rank) {
  if (axis < -rank || axis >= rank) return std::nullopt;
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

std::optional<int64_t> BroadcastDim(int64_t a, int64_t b) {
  if (a == b || b == 1) return a;
  if (a == 1) return b;
  if (a == kUnknownDim) return b;  // an error, or what b says
  if (b == kUnknownDim) return a;
  return std::nullopt;
}

}  // namespace glasscase::onnx
