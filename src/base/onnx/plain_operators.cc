// Operators of ai.onnx, each as its text says, for tensors of at most two dimensions.
#include "plain_operators.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <span>

namespace glasscase::onnx {
namespace {

using Floats = std::vector<float>;
using Doubles = std::vector<double>;
using Integers = std::vector<int64_t>;
using Truths = std::vector<uint8_t>;

Error Unknown(const NodeProto& node) {
  return {Code::kUnimplemented, "the operator " + Printable(node.op_type()) + ", or this use of it"};
}

// Rows and columns; a list is one row.
struct Size {
  int64_t rows = 1;
  int64_t columns = 1;
  bool operator==(const Size&) const = default;
};
Size SizeOf(const PlainTensor& tensor) {
  const auto& shape = tensor.shape;
  if (shape.empty()) return {};
  return shape.size() == 1 ? Size{1, shape[0]} : Size{shape[0], shape[1]};
}

// Whichever dimension is 1 in one of them is repeated.
bool Fit(int64_t a, int64_t b) { return a == b || a == 1 || b == 1; }
int64_t Wider(int64_t a, int64_t b) { return a == 1 ? b : a; }
size_t PlaceIn(const Size& size, int64_t row, int64_t column) {
  return static_cast<size_t>((size.rows == 1 ? 0 : row) * size.columns + (size.columns == 1 ? 0 : column));
}

template <typename In, typename Out, typename Function>
Result<PlainTensor> EachPair(const NodeProto& node, const PlainTensor& a, const PlainTensor& b,
                             Function function) {
  const auto* const left = std::get_if<std::vector<In>>(&a.data);
  const auto* const right = std::get_if<std::vector<In>>(&b.data);
  const Size one = SizeOf(a);
  const Size other = SizeOf(b);
  if (left == nullptr || right == nullptr || !Fit(one.rows, other.rows) || !Fit(one.columns, other.columns))
    return Fail(Unknown(node));
  const Size size{Wider(one.rows, other.rows), Wider(one.columns, other.columns)};
  std::vector<Out> out;
  for (int64_t row = 0; row < size.rows; ++row) {
    for (int64_t column = 0; column < size.columns; ++column)
      out.push_back(static_cast<Out>(
          function((*left)[PlaceIn(one, row, column)], (*right)[PlaceIn(other, row, column)])));
  }
  const bool is_list = a.shape.size() < 2 && b.shape.size() < 2;
  return PlainTensor{
      .shape = is_list ? std::vector<int64_t>{size.columns} : std::vector<int64_t>{size.rows, size.columns},
      .data = std::move(out)};
}

// For both kinds of numbers with a fraction.
template <typename Function>
Result<PlainTensor> EachPairOfNumbers(const NodeProto& node, const PlainInputs& inputs, Function function) {
  if (inputs.size() != 2) return Fail(Unknown(node));
  if (std::holds_alternative<Doubles>(inputs[0]->data))
    return EachPair<double, double>(node, *inputs[0], *inputs[1], function);
  return EachPair<float, float>(node, *inputs[0], *inputs[1], function);
}

template <typename Function>
Result<PlainTensor> EachNumber(const NodeProto& node, const PlainTensor& input, Function function) {
  PlainTensor out = input;
  if (auto* const narrow = std::get_if<Floats>(&out.data)) {
    for (float& x : *narrow) x = function(x);
    return out;
  }
  if (auto* const wide = std::get_if<Doubles>(&out.data)) {
    for (double& x : *wide) x = function(x);
    return out;
  }
  return Fail(Unknown(node));
}

template <typename To, typename From>
std::vector<To> Cast(const std::vector<From>& numbers) {
  std::vector<To> cast;
  cast.reserve(numbers.size());
  for (const From& number : numbers) cast.push_back(static_cast<To>(number));
  return cast;
}

Result<PlainTensor> RunCast(const NodeProto& node, const PlainTensor& input) {
  const int64_t to = IntegerOr(node, "to", 0);
  PlainTensor out{.shape = input.shape, .data = {}};
  const auto* const narrow = std::get_if<Floats>(&input.data);
  const auto* const wide = std::get_if<Doubles>(&input.data);
  if ((narrow == nullptr && wide == nullptr) || (to != TensorProto::FLOAT && to != TensorProto::DOUBLE))
    return Fail(Unknown(node));
  if (to == TensorProto::FLOAT) {
    out.data = narrow != nullptr ? *narrow : Cast<float>(*wide);
  } else {
    out.data = narrow != nullptr ? Cast<double>(*narrow) : *wide;
  }
  return out;
}

Result<PlainTensor> RunWhere(const NodeProto& node, const PlainInputs& inputs) {
  if (inputs.size() != 3) return Fail(Unknown(node));
  const auto* const chosen = std::get_if<Truths>(&inputs[0]->data);
  const auto* const yes = std::get_if<Floats>(&inputs[1]->data);
  const auto* const no = std::get_if<Floats>(&inputs[2]->data);
  if (chosen == nullptr || yes == nullptr || no == nullptr || yes->size() != 1 ||
      inputs[1]->shape.size() > inputs[2]->shape.size() || inputs[0]->shape != inputs[2]->shape)
    return Fail(Unknown(node));
  Floats out = *no;
  for (size_t i = 0; i < out.size(); ++i)
    if ((*chosen)[i] != 0) out[i] = (*yes)[0];
  return PlainTensor{.shape = inputs[2]->shape, .data = std::move(out)};
}

Result<PlainTensor> RunMatMul(const NodeProto& node, const PlainInputs& inputs) {
  if (inputs.size() != 2) return Fail(Unknown(node));
  const auto* const a = std::get_if<Doubles>(&inputs[0]->data);
  const auto* const b = std::get_if<Doubles>(&inputs[1]->data);
  const Size left = SizeOf(*inputs[0]);
  const Size right = SizeOf(*inputs[1]);
  const bool are_matrices = inputs[0]->shape.size() == 2 && inputs[1]->shape.size() == 2;
  if (a == nullptr || b == nullptr || !are_matrices || left.columns != right.rows) return Fail(Unknown(node));
  Doubles out(static_cast<size_t>(left.rows * right.columns));
  for (int64_t row = 0; row < left.rows; ++row) {
    for (int64_t k = 0; k < left.columns; ++k) {
      for (int64_t column = 0; column < right.columns; ++column)
        out[static_cast<size_t>(row * right.columns + column)] +=
            (*a)[static_cast<size_t>(row * left.columns + k)] *
            (*b)[static_cast<size_t>(k * right.columns + column)];
    }
  }
  return PlainTensor{.shape = {left.rows, right.columns}, .data = std::move(out)};
}

// Of what stands in a row, their shares.
template <typename Number>
PlainTensor SharesOfRows(const PlainTensor& input, std::vector<Number> numbers) {
  const auto columns = static_cast<size_t>(SizeOf(input).columns);
  for (size_t first = 0; first < numbers.size(); first += columns) {
    const auto row = std::span(numbers).subspan(first, columns);
    const Number largest = *std::ranges::max_element(row);
    Number sum = 0;
    for (Number& x : row) sum += x = std::exp(x - largest);
    for (Number& x : row) x /= sum;
  }
  return {.shape = input.shape, .data = std::move(numbers)};
}

bool IsAcross(const PlainTensor& input, int64_t axis) {
  return input.shape.size() == 2 && input.shape[1] > 0 && (axis == 1 || axis == -1);
}

Result<PlainTensor> RunSoftmax(const NodeProto& node, const PlainTensor& input) {
  if (!IsAcross(input, IntegerOr(node, "axis", -1))) return Fail(Unknown(node));
  if (const auto* const narrow = std::get_if<Floats>(&input.data)) return SharesOfRows(input, *narrow);
  if (const auto* const wide = std::get_if<Doubles>(&input.data)) return SharesOfRows(input, *wide);
  return Fail(Unknown(node));
}

Result<PlainTensor> RunConcat(const NodeProto& node, const PlainInputs& inputs) {
  if (inputs.size() != 2 || IntegerOr(node, "axis", 0) != 1 || inputs[0]->shape.size() != 2 ||
      inputs[0]->shape != inputs[1]->shape || inputs[0]->shape[1] != 1 ||
      inputs[0]->data.index() != inputs[1]->data.index())
    return Fail(Unknown(node));
  PlainTensor out{.shape = {inputs[0]->shape[0], 2}, .data = {}};
  std::visit(
      [&](const auto& first) {
        using List = std::decay_t<decltype(first)>;
        const List& second = std::get<List>(inputs[1]->data);
        List both;
        for (size_t i = 0; i < first.size(); ++i) both.insert(both.end(), {first[i], second[i]});
        out.data = std::move(both);
      },
      inputs[0]->data);
  return out;
}

// The first of equal ones, or the last; NaN is less than nothing, as where nobody says.
Result<PlainTensor> RunArgMax(const NodeProto& node, const PlainTensor& input) {
  const bool by_row = input.shape.size() == 2 && input.shape[1] > 0 && IntegerOr(node, "axis", 0) == 1 &&
                      IntegerOr(node, "keepdims", 1) == 0;
  if (!by_row) return Fail(Unknown(node));
  const bool last = IntegerOr(node, "select_last_index", 0) != 0;
  Integers places;
  const auto find = [&](const auto& numbers) {
    const auto columns = static_cast<size_t>(input.shape[1]);
    for (size_t first = 0; first < numbers.size(); first += columns) {
      const auto row = std::span(numbers).subspan(first, columns);
      size_t top = 0;
      for (size_t k = 1; k < columns; ++k)
        if (last ? row[k] >= row[top] : row[k] > row[top]) top = k;
      places.push_back(static_cast<int64_t>(top));
    }
  };
  if (const auto* const narrow = std::get_if<Floats>(&input.data)) {
    find(*narrow);
  } else if (const auto* const wide = std::get_if<Doubles>(&input.data)) {
    find(*wide);
  } else {
    return Fail(Unknown(node));
  }
  return PlainTensor{.shape = {input.shape[0]}, .data = std::move(places)};
}

Result<PlainTensor> RunGather(const NodeProto& node, const PlainInputs& inputs) {
  if (inputs.size() != 2 || IntegerOr(node, "axis", 0) != 0 || inputs[0]->shape.size() != 1 ||
      inputs[1]->shape.size() != 1)
    return Fail(Unknown(node));
  const auto* const places = std::get_if<Integers>(&inputs[1]->data);
  if (places == nullptr) return Fail(Unknown(node));
  for (const int64_t place : *places)
    if (place < 0 || place >= inputs[0]->shape[0]) return Fail(Unknown(node));
  PlainTensor out{.shape = inputs[1]->shape, .data = {}};
  std::visit(
      [&](const auto& from) {
        std::decay_t<decltype(from)> taken;
        for (const int64_t place : *places) taken.push_back(from[static_cast<size_t>(place)]);
        out.data = std::move(taken);
      },
      inputs[0]->data);
  return out;
}

template <typename Number>
std::vector<Number> FromRaw(const std::string& raw) {
  std::vector<Number> numbers(raw.size() / sizeof(Number));
  if (!numbers.empty()) std::memcpy(numbers.data(), raw.data(), numbers.size() * sizeof(Number));
  return numbers;
}

template <typename Number, typename Typed>
std::vector<Number> Taken(const std::string& raw, const Typed& typed) {
  return raw.empty() ? std::vector<Number>(typed.begin(), typed.end()) : FromRaw<Number>(raw);
}

}  // namespace

int64_t IntegerOr(const NodeProto& node, std::string_view name, int64_t otherwise) {
  const AttributeProto* const attribute = FindAttribute(node, name);
  return attribute == nullptr ? otherwise : attribute->i();
}

Result<PlainTensor> ToPlain(const TensorProto& tensor) {
  PlainTensor plain{.shape = {tensor.dims().begin(), tensor.dims().end()}, .data = {}};
  const std::string& raw = tensor.raw_data();
  switch (tensor.data_type()) {
    case TensorProto::FLOAT: plain.data = Taken<float>(raw, tensor.float_data()); break;
    case TensorProto::DOUBLE: plain.data = Taken<double>(raw, tensor.double_data()); break;
    case TensorProto::INT64: plain.data = Taken<int64_t>(raw, tensor.int64_data()); break;
    case TensorProto::BOOL: plain.data = Taken<uint8_t>(raw, tensor.int32_data()); break;
    case TensorProto::STRING:
      plain.data = std::vector<std::string>(tensor.string_data().begin(), tensor.string_data().end());
      break;
    default: return Fail(Error(Code::kUnimplemented, "a tensor of another type"));
  }
  int64_t count = 1;
  for (const int64_t size : plain.shape) {
    if (size < 0 || (size > 0 && count > std::numeric_limits<int32_t>::max() / size))
      return Fail(Error::InvalidArgument("a tensor that is too large"));
    count *= size;
  }
  const size_t held = std::visit([](const auto& list) { return list.size(); }, plain.data);
  if (held != static_cast<size_t>(count) || plain.shape.size() > 2)
    return Fail(Error::InvalidArgument("a tensor without its numbers inside"));
  return plain;
}

Result<PlainTensor> RunOperator(const NodeProto& node, const PlainInputs& inputs) {
  const std::string& type = node.op_type();
  if (inputs.empty()) return Fail(Unknown(node));
  const PlainTensor& first = *inputs[0];
  if (type == "Identity") return first;
  if (type == "Cast") return RunCast(node, first);
  if (type == "Abs") return EachNumber(node, first, [](auto x) { return std::abs(x); });
  if (type == "Neg") return EachNumber(node, first, [](auto x) { return -x; });
  if (type == "Exp") return EachNumber(node, first, [](auto x) { return std::exp(x); });
  if (type == "Reciprocal") return EachNumber(node, first, [](auto x) { return 1 / x; });
  if (type == "Add") return EachPairOfNumbers(node, inputs, [](auto a, auto b) { return a + b; });
  if (type == "Sub") return EachPairOfNumbers(node, inputs, [](auto a, auto b) { return a - b; });
  if (type == "Mul") return EachPairOfNumbers(node, inputs, [](auto a, auto b) { return a * b; });
  if (type == "Div") return EachPairOfNumbers(node, inputs, [](auto a, auto b) { return a / b; });
  if (type == "Min")
    return EachPairOfNumbers(node, inputs, [](auto a, auto b) { return std::isnan(a) || a < b ? a : b; });
  if (type == "LessOrEqual" && inputs.size() == 2)
    return EachPair<float, uint8_t>(node, first, *inputs[1], [](float a, float b) { return a <= b; });
  if (type == "And" && inputs.size() == 2)
    return EachPair<uint8_t, uint8_t>(node, first, *inputs[1], [](uint8_t a, uint8_t b) { return a & b; });
  if (type == "Where") return RunWhere(node, inputs);
  if (type == "MatMul") return RunMatMul(node, inputs);
  if (type == "Softmax") return RunSoftmax(node, first);
  if (type == "Concat") return RunConcat(node, inputs);
  if (type == "ArgMax") return RunArgMax(node, first);
  if (type == "Gather") return RunGather(node, inputs);
  return Fail(Unknown(node));
}

}  // namespace glasscase::onnx
