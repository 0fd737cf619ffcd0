// Operators that work on each element by itself, broadcast their operands, or only change the element type.
#include <array>

#include "rows_rules.h"

namespace glasscase::onnx {
namespace {

using Kind = Symbol::Kind;

constexpr std::string_view kUnaryOnnx[] = {
    "Abs",        "Acos",     "Acosh",  "Asin",        "Asinh",     "Atan",       "Atanh",
    "BitwiseNot", "Ceil",     "Celu",   "Cos",         "Cosh",      "Elu",        "Erf",
    "Exp",        "Floor",    "Gelu",   "HardSigmoid", "HardSwish", "IsInf",      "IsNaN",
    "LeakyRelu",  "Log",      "Mish",   "Neg",         "Not",       "Reciprocal", "Relu",
    "Round",      "Selu",     "Shrink", "Sigmoid",     "Sign",      "Sin",        "Sinh",
    "Softplus",   "Softsign", "Sqrt",   "Swish",       "Tan",       "Tanh",       "ThresholdedRelu"};
constexpr std::string_view kBroadcastOnnx[] = {
    "And",   "BitShift",    "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Greater", "GreaterOrEqual",
    "Less",  "LessOrEqual", "Max",        "Mean",      "Min",        "Mod",     "Or",
    "PRelu", "Pow",         "Sum",        "Xor"};
constexpr std::string_view kUnaryMl[] = {"Binarizer", "LabelEncoder", "CategoryMapper"};

Outcome Unary(const NodeView& node) {
  if (node.InputCount() != 1) return Outcome::Refused("has more inputs than its operator");
  return Outcome::Of(node.In(0).WithoutElements());
}

Outcome Identity(const NodeView& node) {
  if (node.InputCount() != 1) return Outcome::Refused("has more inputs than its operator");
  return Outcome::Of(node.In(0));
}

// Of the first input, with the others as constants that each element meets alike.
Outcome UnaryWithSettings(const NodeView& node) {
  if (!node.Has(0) || !node.RestIsConstant(1))
    return Outcome::Refused("has settings that depend on the rows");
  return Outcome::Of(node.In(0).WithoutElements());
}

Outcome CastLike(const NodeView& node) {
  if (!node.Has(0)) return Outcome::Refused("has no input");
  if (node.In(0).CountsRows()) return Outcome::Refused("turns the number of rows into data");
  return Outcome::Of(node.In(0).WithoutElements());
}

Outcome Cast(const NodeView& node) {
  if (!node.Has(0)) return Outcome::Refused("has no input");
  const Value& in = node.In(0);
  const int64_t to = node.Int("to", 0);
  if (in.has_elements && to == TensorProto::INT64) {
    Value out = in;
    out.element_type = Value::ElementType::kInt64;
    return Outcome::Of(std::move(out));
  }
  // Number of rows times block could wrap around in a smaller type.
  if (in.CountsRows()) return Outcome::Refused("turns the number of rows into data");
  return Outcome::Of(in.WithoutElements());
}

Outcome Dropout(const NodeView& node) {
  // Before opset 12 a flag of the runtime chose training; ours never does.
  if (node.Has(2)) {
    const auto training = node.In(2).KnownNumbers();
    if (!training || training->size() != 1 || training->front() != 0) {
      return Outcome::Refused("drops values at random (training mode)");
    }
  }
  if (!node.Has(0) || !node.RestIsConstant(1))
    return Outcome::Refused("has settings that depend on the rows");
  const Value out = node.In(0).WithoutElements();
  return {{out, out}, {}};
}

std::vector<const Value*> Operands(const NodeView& node) {
  std::vector<const Value*> operands;
  for (size_t i = 0; i < node.InputCount(); ++i) {
    if (node.Has(i)) operands.push_back(&node.In(i));
  }
  return operands;
}

bool AnyCountsRows(const NodeView& node) {
  for (const Value* operand : Operands(node)) {
    if (operand->CountsRows()) return true;
  }
  return false;
}

Outcome BroadcastRule(const NodeView& node) {
  const std::vector<const Value*> operands = Operands(node);
  if (operands.empty()) return Outcome::Refused("has no input");
  return Broadcast(operands);
}

// The element that `symbols[i]` is for position `i` of a broadcast result.
const Symbol& At(const std::vector<Symbol>& symbols, size_t i) {
  return symbols[symbols.size() == 1 ? 0 : i];
}

std::optional<int64_t> Compute(std::string_view op, int64_t a, int64_t b) {
  int64_t result = 0;
  if (op == "Add") return __builtin_add_overflow(a, b, &result) ? std::nullopt : std::optional(result);
  if (op == "Sub") return __builtin_sub_overflow(a, b, &result) ? std::nullopt : std::optional(result);
  if (op == "Mul") return __builtin_mul_overflow(a, b, &result) ? std::nullopt : std::optional(result);
  if (op == "Div" && b > 0) return a / b;
  return std::nullopt;
}

// What `a op b` is; nothing when it may depend on the number of rows in a way that is not followed.
std::optional<Symbol> ComputeSymbol(std::string_view op, const Symbol& a, const Symbol& b) {
  if (a.kind != Kind::kRowCount && b.kind != Kind::kRowCount) {
    if (a.kind != Kind::kKnown || b.kind != Kind::kKnown) return Symbol::Fixed();
    const auto number = Compute(op, a.number, b.number);
    return number ? Symbol::Known(*number) : Symbol::Fixed();
  }
  const bool count_first = a.kind == Kind::kRowCount;
  const Symbol& count = count_first ? a : b;
  const Symbol& factor = count_first ? b : a;
  if (factor.kind != Kind::kKnown || factor.number < 1) return std::nullopt;
  if (op == "Mul" && factor.number <= kBlockMax / count.number)
    return Symbol::RowCount(count.number * factor.number);
  if (op == "Div" && count_first && count.number % factor.number == 0) {
    return Symbol::RowCount(count.number / factor.number);
  }
  return std::nullopt;
}

// Arithmetic on shapes, where all operands are small INT64 tensors whose elements are followed.
std::optional<Value> ComputeElements(const NodeView& node) {
  const Value& a = node.In(0);
  const Value& b = node.In(1);
  for (const Value* v : {&a, &b}) {
    if (!v->has_elements || v->element_type != Value::ElementType::kInt64 || v->elements.empty())
      return std::nullopt;
  }
  const size_t size = std::max(a.elements.size(), b.elements.size());
  if ((a.elements.size() != size && a.elements.size() != 1) ||
      (b.elements.size() != size && b.elements.size() != 1)) {
    return std::nullopt;
  }
  std::vector<Symbol> elements;
  for (size_t i = 0; i < size; ++i) {
    const auto element = ComputeSymbol(node.node().op_type(), At(a.elements, i), At(b.elements, i));
    if (!element) return std::nullopt;
    elements.push_back(*element);
  }
  const bool scalar = a.rank() == 0 && b.rank() == 0;
  return scalar ? Value::Scalar(elements.front()) : Value::Vector(std::move(elements));
}

Outcome Arithmetic(const NodeView& node) {
  if (node.InputCount() != 2 || !node.Has(0) || !node.Has(1))
    return Outcome::Refused("does not have two inputs");
  if (auto value = ComputeElements(node)) return Outcome::Of(std::move(*value));
  if (AnyCountsRows(node)) return Outcome::Refused("uses the number of rows as a value");
  return BroadcastRule(node);
}

// Whether two elements are equal for every number of rows.
std::optional<bool> AreEqual(const Symbol& a, const Symbol& b) {
  if (a.kind == Kind::kFixed || b.kind == Kind::kFixed) return std::nullopt;
  if (a == b) return true;
  if (a.kind == Kind::kKnown && b.kind == Kind::kKnown) return false;
  // A positive multiple of the number of rows is never zero or negative.
  const Symbol& known = a.kind == Kind::kKnown ? a : b;
  if (known.kind == Kind::kKnown && known.number <= 0) return false;
  return std::nullopt;
}

Outcome Equal(const NodeView& node) {
  if (node.InputCount() != 2 || !node.Has(0) || !node.Has(1))
    return Outcome::Refused("does not have two inputs");
  const Value& a = node.In(0);
  const Value& b = node.In(1);
  if (!AnyCountsRows(node)) return BroadcastRule(node);
  if (!a.has_elements || !b.has_elements || a.elements.size() != b.elements.size() || a.rank() != b.rank()) {
    return Outcome::Refused("uses the number of rows as a value");
  }
  std::vector<Symbol> elements;
  for (size_t i = 0; i < a.elements.size(); ++i) {
    const auto equal = AreEqual(a.elements[i], b.elements[i]);
    if (!equal) return Outcome::Refused("uses the number of rows as a value");
    elements.push_back(Symbol::Known(*equal ? 1 : 0));
  }
  Value out = a;
  out.elements = std::move(elements);
  out.element_type = Value::ElementType::kBool;
  return Outcome::Of(std::move(out));
}

Outcome Where(const NodeView& node) {
  if (node.InputCount() != 3 || !node.Has(0) || !node.Has(1) || !node.Has(2)) {
    return Outcome::Refused("does not have three inputs");
  }
  if (!AnyCountsRows(node)) return BroadcastRule(node);
  const auto chosen = node.In(0).KnownNumbers();
  const Value& yes = node.In(1);
  const Value& no = node.In(2);
  const bool alike = chosen && node.In(0).rank() == 1 && yes.has_elements && no.has_elements &&
                     yes.rank() == 1 && no.rank() == 1 && yes.elements.size() == chosen->size() &&
                     no.elements.size() == chosen->size() && yes.element_type == no.element_type;
  if (!alike) return Outcome::Refused("uses the number of rows as a value");
  Value out = yes;
  for (size_t i = 0; i < chosen->size(); ++i) {
    if ((*chosen)[i] == 0) out.elements[i] = no.elements[i];
  }
  return Outcome::Of(std::move(out));
}

}  // namespace

Outcome Broadcast(std::span<const Value* const> operands) {
  int rank = 0;
  const Value* rows = nullptr;
  bool ranks_known = true;
  for (const Value* operand : operands) {
    ranks_known = ranks_known && operand->has_rank;
    rank = std::max(rank, operand->rank());
    if (operand->IsRows()) rows = operand;
  }
  if (!ranks_known) {
    return rows == nullptr ? Outcome::Of(Value::Fixed())
                           : Outcome::Refused("joins the rows with a constant of unknown shape");
  }
  const int axis = rows == nullptr ? -1 : rank - rows->rank() + rows->axis;
  const int64_t block = rows == nullptr ? 1 : rows->block;
  std::vector<int64_t> dims(static_cast<size_t>(rank), 1);
  for (const Value* operand : operands) {
    const int shift = rank - operand->rank();
    if (operand->IsRows() && (operand->axis + shift != axis || operand->block != block)) {
      return Outcome::Refused("joins inputs whose rows lie in different dimensions");
    }
    for (int i = 0; i < operand->rank(); ++i) {
      const int at = i + shift;
      if (at == axis) {
        if (operand->IsFixed() && operand->Dim(i) != 1) {
          return Outcome::Refused("gives each row a constant of its own");
        }
        continue;
      }
      const auto dim = BroadcastDim(dims[static_cast<size_t>(at)], operand->Dim(i));
      if (!dim) return Outcome::Refused("has inputs that cannot be broadcast");
      dims[static_cast<size_t>(at)] = *dim;
    }
  }
  if (rows == nullptr) return Outcome::Of(Value::Fixed(std::move(dims)));
  return Outcome::Of(Value::Rows(std::move(dims), axis, block));
}

std::vector<Operator> ElementwiseOperators() {
  using Fixed = Operator::FixedInputs;
  std::vector<Operator> operators;
  for (const auto type : kUnaryOnnx) operators.push_back({kOnnxDomain, type, Unary, Fixed::kShapes});
  for (const auto type : kUnaryMl) operators.push_back({kMlDomain, type, Unary, Fixed::kShapes});
  for (const auto type : kBroadcastOnnx)
    operators.push_back({kOnnxDomain, type, BroadcastRule, Fixed::kShapes});
  for (const auto type : {"Add", "Sub", "Mul", "Div"}) {
    operators.push_back({kOnnxDomain, type, Arithmetic, Fixed::kCounts});
  }
  operators.push_back({kOnnxDomain, "Equal", Equal, Fixed::kCounts});
  operators.push_back({kOnnxDomain, "Where", Where, Fixed::kCounts});
  operators.push_back({kOnnxDomain, "Identity", Identity, Fixed::kCounts});
  operators.push_back({kOnnxDomain, "Cast", Cast, Fixed::kCounts});
  operators.push_back({kOnnxDomain, "CastLike", CastLike, Fixed::kCounts});
  operators.push_back({kOnnxDomain, "Clip", UnaryWithSettings, Fixed::kShapes});
  operators.push_back({kOnnxDomain, "Dropout", Dropout, Fixed::kShapes});
  for (const auto type : {"Gelu", "QuickGelu"})
    operators.push_back({kMicrosoftDomain, type, Unary, Fixed::kShapes});
  for (const auto type : {"BiasGelu", "FastGelu"}) {
    operators.push_back({kMicrosoftDomain, type, BroadcastRule, Fixed::kShapes});
  }
  return operators;
}

}  // namespace glasscase::onnx
