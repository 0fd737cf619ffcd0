#include <glasscase/onnx/parts.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <glasscase/onnx/inspect.h>

#include "schema.h"
#include "wire_scan.h"

namespace glasscase::onnx {
namespace {

static_assert(std::endian::native == std::endian::little, "ONNX stores raw data in little-endian order");

constexpr int64_t kExactMax = int64_t{1} << 53;

std::string Deterministic(const google::protobuf::MessageLite& message) {
  std::string bytes;
  google::protobuf::io::StringOutputStream sink(&bytes);
  google::protobuf::io::CodedOutputStream out(&sink);
  out.SetSerializationDeterministic(true);
  message.SerializeToCodedStream(&out);
  out.Trim();
  return bytes;
}

template <typename Number>
std::vector<double> FromRaw(const std::string& raw) {
  std::vector<double> numbers(raw.size() / sizeof(Number));
  for (size_t i = 0; i < numbers.size(); ++i) {
    Number number;
    std::memcpy(&number, raw.data() + i * sizeof number, sizeof number);
    numbers[i] = static_cast<double>(number);
  }
  return numbers;
}

template <typename Typed>
std::vector<double> AsDoubles(const Typed& typed) {
  return {typed.begin(), typed.end()};
}

// Empty for types whose values are compared as bytes.
std::vector<double> NumbersOf(const TensorProto& tensor) {
  const std::string& raw = tensor.raw_data();
  switch (tensor.data_type()) {
    case TensorProto::FLOAT: return raw.empty() ? AsDoubles(tensor.float_data()) : FromRaw<float>(raw);
    case TensorProto::DOUBLE: return raw.empty() ? AsDoubles(tensor.double_data()) : FromRaw<double>(raw);
    case TensorProto::INT32: return raw.empty() ? AsDoubles(tensor.int32_data()) : FromRaw<int32_t>(raw);
    case TensorProto::INT64: return raw.empty() ? AsDoubles(tensor.int64_data()) : FromRaw<int64_t>(raw);
    default: return {};
  }
}

bool AreExact(const std::vector<double>& numbers, int32_t data_type) {
  if (data_type != TensorProto::INT64) return true;
  for (const double number : numbers)
    if (std::abs(number) >= static_cast<double>(kExactMax)) return false;
  return true;
}

class Walk {
 public:
  explicit Walk(const PartVisitor& visitor) : visitor_(visitor) {}

  void Tensor(const std::string& name, TensorProto tensor) {
    std::vector<double> numbers = NumbersOf(tensor);
    if (!numbers.empty() && AreExact(numbers, tensor.data_type())) {
      visitor_.numbers(name, std::move(numbers));
      tensor.clear_raw_data();
      tensor.clear_float_data();
      tensor.clear_double_data();
      tensor.clear_int32_data();
      tensor.clear_int64_data();
    }
    tensor.clear_name();
    tensor.clear_doc_string();
    visitor_.words(name + ".type", Deterministic(tensor));
  }

  void Graph(const std::string& prefix, GraphProto graph) {
    for (const TensorProto& tensor : graph.initializer()) Tensor(prefix + tensor.name(), tensor);
    for (int i = 0; i < graph.node_size(); ++i)
      Node(prefix + "node[" + std::to_string(i) + "]", *graph.mutable_node(i));
    graph.clear_initializer();
    graph.clear_node();
    graph.clear_name();
    graph.clear_doc_string();
    visitor_.words(prefix + "graph", Deterministic(graph));
  }

 private:
  void Node(const std::string& at, NodeProto& node) {
    const std::string name = at + "(" + Printable(node.op_type(), 64) + ")";
    for (AttributeProto& attribute : *node.mutable_attribute())
      Attribute(name + "." + Printable(attribute.name(), 64), attribute);
    node.clear_name();
    node.clear_doc_string();
    visitor_.words(name, Deterministic(node));
  }

  // What is given on is taken out of it.
  void Attribute(const std::string& name, AttributeProto& attribute) {
    if (attribute.floats_size() > 0) visitor_.numbers(name, AsDoubles(attribute.floats()));
    attribute.clear_floats();
    if (attribute.has_t()) Tensor(name, attribute.t());
    attribute.clear_t();
    if (attribute.has_g()) Graph(name + ".", attribute.g());
    attribute.clear_g();
    for (int i = 0; i < attribute.graphs_size(); ++i)
      Graph(name + "[" + std::to_string(i) + "].", attribute.graphs(i));
    attribute.clear_graphs();
    attribute.clear_doc_string();
  }

  const PartVisitor& visitor_;
};

}  // namespace

Status VisitParts(ByteSpan file, const PartVisitor& visitor) {
  const Limits limits;
  if (file.size() > std::numeric_limits<int>::max()) return Refuse("the file is larger than ONNX allows");
  GC_TRY_VOID(ScanWire(file, limits));
  google::protobuf::io::CodedInputStream stream(file.data(), static_cast<int>(file.size()));
  stream.SetRecursionLimit(static_cast<int>(MessageNestingMax(limits)));
  ModelProto model;
  if (!model.ParseFromCodedStream(&stream) || !model.has_graph()) return Refuse("the file is not ONNX");
  Walk(visitor).Graph("", model.graph());
  model.clear_graph();
  model.clear_producer_name();
  model.clear_producer_version();
  model.clear_model_version();
  model.clear_doc_string();
  model.clear_metadata_props();
  visitor.words("model", Deterministic(model));
  return Ok();
}

}  // namespace glasscase::onnx
