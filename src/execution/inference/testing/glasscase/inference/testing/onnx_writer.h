// Writes small ONNX files for tests, field by field (onnx.proto of the ONNX project), so that tests need no
// converter and can write what no exporter would.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace glasscase::inference::testing {

// One protobuf message.
class Message {
 public:
  Message& Int(uint32_t field, int64_t value) {
    Varint(field << 3);
    Varint(static_cast<uint64_t>(value));
    return *this;
  }
  Message& Text(uint32_t field, std::string_view value) {
    Varint(field << 3 | 2);
    Varint(value.size());
    bytes_ += value;
    return *this;
  }
  Message& Sub(uint32_t field, const Message& value) { return Text(field, value.bytes_); }
  const std::string& bytes() const { return bytes_; }

 private:
  void Varint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_ += static_cast<char>(value | 0x80);
    bytes_ += static_cast<char>(value);
  }
  std::string bytes_;
};

// TensorProto.DataType
enum OnnxType : int {
  kFloat = 1,
  kUint8T = 2,
  kInt8T = 3,
  kUint16T = 4,
  kInt16T = 5,
  kInt32T = 6,
  kInt64T = 7,
  kString = 8,
  kBoolT = 9,
  kFloat16 = 10,
  kDouble = 11,
  kUint32T = 12,
  kUint64T = 13,
  kBfloat16 = 16
};

// dimension -1: named "n"
inline Message ValueInfo(std::string_view name, int type, const std::vector<int64_t>& shape) {
  Message dims;
  for (const int64_t d : shape) {
    Message dim;
    d < 0 ? dim.Text(2, "n") : dim.Int(1, d);
    dims.Sub(1, dim);
  }
  return Message().Text(1, name).Sub(2, Message().Sub(1, Message().Int(1, type).Sub(2, dims)));
}

inline Message IntAttribute(std::string_view name, int64_t value) {
  return Message().Text(1, name).Int(3, value).Int(20, 2);
}
inline Message GraphAttribute(std::string_view name, const Message& graph) {
  return Message().Text(1, name).Sub(6, graph).Int(20, 5);
}

inline Message Node(std::string_view name, std::string_view op, const std::vector<std::string>& inputs,
                    const std::vector<std::string>& outputs, const std::vector<Message>& attributes = {},
                    std::string_view domain = "") {
  Message node;
  for (const std::string& input : inputs) node.Text(1, input);
  for (const std::string& output : outputs) node.Text(2, output);
  node.Text(3, name).Text(4, op);
  for (const Message& attribute : attributes) node.Sub(5, attribute);
  if (!domain.empty()) node.Text(7, domain);
  return node;
}

template <typename T>
Message Initializer(std::string_view name, int type, const std::vector<int64_t>& shape,
                    const std::vector<T>& values) {
  Message tensor;
  for (const int64_t d : shape) tensor.Int(1, d);
  return tensor.Int(2, type).Text(8, name).Text(
      9, {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)});
}

inline Message ExternalInitializer(std::string_view name, int type, const std::vector<int64_t>& shape,
                                   std::string_view path, int64_t offset, int64_t bytes) {
  Message tensor;
  for (const int64_t d : shape) tensor.Int(1, d);
  tensor.Int(2, type).Text(8, name);
  const auto entry = [&tensor](std::string_view key, std::string_view value) {
    tensor.Sub(13, Message().Text(1, key).Text(2, value));
  };
  entry("location", path);
  entry("offset", std::to_string(offset));
  entry("length", std::to_string(bytes));
  return tensor.Int(14, 1);
}

inline Message Graph(const std::vector<Message>& nodes, const std::vector<Message>& initializers,
                     const std::vector<Message>& inputs, const std::vector<Message>& outputs) {
  Message graph;
  for (const Message& node : nodes) graph.Sub(1, node);
  graph.Text(2, "g");
  for (const Message& initializer : initializers) graph.Sub(5, initializer);
  for (const Message& input : inputs) graph.Sub(11, input);
  for (const Message& output : outputs) graph.Sub(12, output);
  return graph;
}

inline std::string Model(const Message& graph, int64_t opset = 17) {
  return Message().Int(1, 8).Sub(7, graph).Sub(8, Message().Text(1, "").Int(2, opset)).bytes();
}

// y = x, of any element type and shape
inline std::string IdentityModel(int type, const std::vector<int64_t>& shape) {
  return Model(Graph({Node("copy", "Identity", {"x"}, {"y"})}, {}, {ValueInfo("x", type, shape)},
                     {ValueInfo("y", type, shape)}));
}

// A dense network with ReLU between and softmax behind; x: FP32 [n, widths.front()], y: FP32 [n,
// widths.back()].
inline std::string MlpModel(const std::vector<int64_t>& widths, uint32_t seed = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<Message> nodes;
  std::vector<Message> initializers;
  std::string last = "x";
  for (size_t i = 0; i + 1 < widths.size(); ++i) {
    const std::string n = std::to_string(i);
    std::vector<float> weights(static_cast<size_t>(widths[i] * widths[i + 1]));
    std::vector<float> bias(static_cast<size_t>(widths[i + 1]));
    for (float& w : weights) w = normal(random) / std::sqrt(static_cast<float>(widths[i]));
    for (float& b : bias) b = normal(random);
    initializers.push_back(Initializer("w" + n, kFloat, {widths[i], widths[i + 1]}, weights));
    initializers.push_back(Initializer("b" + n, kFloat, {widths[i + 1]}, bias));
    nodes.push_back(Node("dense" + n, "Gemm", {last, "w" + n, "b" + n}, {"h" + n}));
    last = "h" + n;
    if (i + 2 < widths.size()) {
      nodes.push_back(Node("relu" + n, "Relu", {last}, {"r" + n}));
      last = "r" + n;
    }
  }
  nodes.push_back(Node("softmax", "Softmax", {last}, {"y"}, {IntAttribute("axis", -1)}));
  return Model(Graph(nodes, initializers, {ValueInfo("x", kFloat, {-1, widths.front()})},
                     {ValueInfo("y", kFloat, {-1, widths.back()})}));
}

// y = x after `turns` additions of zero in a Loop: takes as long as asked, and ends at every turn when told
// to.
inline std::string LoopModel(int64_t turns) {
  const Message body = Graph(
      {Node("keep", "Identity", {"go_in"}, {"go_out"}), Node("add", "Add", {"v_in", "zero"}, {"v_out"})}, {},
      {ValueInfo("i", kInt64T, {}), ValueInfo("go_in", kBoolT, {}), ValueInfo("v_in", kFloat, {-1, 4})},
      {ValueInfo("go_out", kBoolT, {}), ValueInfo("v_out", kFloat, {-1, 4})});
  return Model(
      Graph({Node("loop", "Loop", {"turns", "go", "x"}, {"y"}, {GraphAttribute("body", body)})},
            {Initializer<int64_t>("turns", kInt64T, {}, {turns}), Initializer<uint8_t>("go", kBoolT, {}, {1}),
             Initializer<float>("zero", kFloat, {1}, {0})},
            {ValueInfo("x", kFloat, {-1, 4})}, {ValueInfo("y", kFloat, {-1, 4})}));
}

// y = x spread over `elements` elements: asks for that much memory when run.
inline std::string ExpandModel(int64_t elements) {
  return Model(Graph({Node("expand", "Expand", {"x", "shape"}, {"y"})},
                     {Initializer<int64_t>("shape", kInt64T, {1}, {elements})}, {ValueInfo("x", kFloat, {1})},
                     {ValueInfo("y", kFloat, {elements})}));
}

}  // namespace glasscase::inference::testing
