// A small vocabulary for tests that make models: TestModel().Input("x", {"n", 4}).Node("Relu", {"x"},
// {"y"})...
#pragma once

#include <cstring>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <glasscase/core/bytes.h>
#include <glasscase/onnx/inspect.h>

#include "schema.h"

namespace glasscase::onnx {

using Names = std::vector<std::string>;

// A number, a name, or "" for a dimension without either.
using TestDim = std::variant<int, const char*>;

inline void SetType(ValueInfoProto& info, const std::string& name, const std::vector<TestDim>& dims,
                    int type) {
  info.set_name(name);
  auto* tensor = info.mutable_type()->mutable_tensor_type();
  tensor->set_elem_type(type);
  tensor->mutable_shape();
  for (const TestDim& dim : dims) {
    auto* added = tensor->mutable_shape()->add_dim();
    if (std::holds_alternative<int>(dim)) {
      added->set_dim_value(std::get<int>(dim));
    } else if (*std::get<const char*>(dim) != 0) {
      added->set_dim_param(std::get<const char*>(dim));
    }
  }
}

// Sets attributes of the node that was just added.
class TestNode {
 public:
  explicit TestNode(NodeProto& node) : node_(node) {}

  TestNode& Int(const std::string& name, int64_t value) {
    Add(name, AttributeProto::INT).set_i(value);
    return *this;
  }
  TestNode& Ints(const std::string& name, const std::vector<int64_t>& values) {
    AttributeProto& attribute = Add(name, AttributeProto::INTS);
    for (const int64_t value : values) attribute.add_ints(value);
    return *this;
  }
  TestNode& Floats(const std::string& name, const std::vector<float>& values) {
    AttributeProto& attribute = Add(name, AttributeProto::FLOATS);
    for (const float value : values) attribute.add_floats(value);
    return *this;
  }
  TestNode& Text(const std::string& name, const std::string& value) {
    Add(name, AttributeProto::STRING).set_s(value);
    return *this;
  }
  TestNode& Graph(const std::string& name, const GraphProto& graph) {
    *Add(name, AttributeProto::GRAPH).mutable_g() = graph;
    return *this;
  }
  TestNode& Reference(const std::string& name, const std::string& of_function,
                      AttributeProto::AttributeType type) {
    Add(name, type).set_ref_attr_name(of_function);
    return *this;
  }
  TestNode& Domain(const std::string& domain) {
    node_.set_domain(domain);
    return *this;
  }
  TestNode& Named(const std::string& name) {
    node_.set_name(name);
    return *this;
  }
  AttributeProto& Add(const std::string& name, AttributeProto::AttributeType type) {
    AttributeProto& attribute = *node_.add_attribute();
    attribute.set_name(name);
    attribute.set_type(type);
    return attribute;
  }
  NodeProto& proto() { return node_; }

 private:
  NodeProto& node_;
};

inline TestNode AddNode(NodeProto& node, const std::string& type, const Names& inputs, const Names& outputs) {
  node.set_op_type(type);
  for (const auto& name : inputs) node.add_input(name);
  for (const auto& name : outputs) node.add_output(name);
  return TestNode(node);
}

class TestModel {
 public:
  explicit TestModel(int64_t opset = 17) {
    proto.set_ir_version(8);
    Import("", opset);
    Import("ai.onnx.ml", 3);
    proto.mutable_graph()->set_name("g");
  }

  TestModel& Import(const std::string& domain, int64_t version) {
    auto* import = proto.add_opset_import();
    import->set_domain(domain);
    import->set_version(version);
    return *this;
  }
  TestModel& Input(const std::string& name, const std::vector<TestDim>& dims, int type = TensorProto::FLOAT) {
    SetType(*graph().add_input(), name, dims, type);
    return *this;
  }
  TestModel& Output(const std::string& name, const std::vector<TestDim>& dims,
                    int type = TensorProto::FLOAT) {
    SetType(*graph().add_output(), name, dims, type);
    return *this;
  }
  // A FLOAT initializer of zeros.
  TestModel& Weights(const std::string& name, const std::vector<int64_t>& dims) {
    TensorProto& tensor = Initializer(name, TensorProto::FLOAT, dims);
    size_t count = 1;
    for (const int64_t dim : dims) count *= static_cast<size_t>(dim);
    tensor.set_raw_data(std::string(count * sizeof(float), '\0'));
    return *this;
  }
  // An INT64 initializer of rank 1.
  TestModel& Integers(const std::string& name, const std::vector<int64_t>& values) {
    TensorProto& tensor = Initializer(name, TensorProto::INT64, {static_cast<int64_t>(values.size())});
    for (const int64_t value : values) tensor.add_int64_data(value);
    return *this;
  }
  TestModel& Scalar(const std::string& name, int64_t value) {
    Initializer(name, TensorProto::INT64, {}).add_int64_data(value);
    return *this;
  }
  TensorProto& Initializer(const std::string& name, int type, const std::vector<int64_t>& dims) {
    TensorProto& tensor = *graph().add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(type);
    for (const int64_t dim : dims) tensor.add_dims(dim);
    return tensor;
  }
  TestNode Node(const std::string& type, const Names& inputs, const Names& outputs) {
    return AddNode(*graph().add_node(), type, inputs, outputs);
  }
  TestNode MlNode(const std::string& type, const Names& inputs, const Names& outputs) {
    return Node(type, inputs, outputs).Domain("ai.onnx.ml");
  }
  FunctionProto& Function(const std::string& name, const Names& inputs, const Names& outputs) {
    FunctionProto& function = *proto.add_functions();
    function.set_domain("test");
    function.set_name(name);
    for (const auto& input : inputs) function.add_input(input);
    for (const auto& output : outputs) function.add_output(output);
    *function.mutable_opset_import() = proto.opset_import();
    return function;
  }
  GraphProto& graph() { return *proto.mutable_graph(); }
  std::string Bytes() const { return proto.SerializeAsString(); }

  Result<Description> Inspect(std::span<const ExternalFile> files = {}, const Limits& limits = {}) const {
    return ::glasscase::onnx::Inspect(AsBytes(Bytes()), files, limits);
  }

  ModelProto proto;
};

// "ok", or the refusal.
inline std::string Verdict(const Result<Description>& result) {
  return result ? "ok" : result.error().message();
}
inline std::string Verdict(const TestModel& model) { return Verdict(model.Inspect()); }

// "apart", why not, or that the file was refused.
inline std::string Rows(const TestModel& model) {
  const auto result = model.Inspect();
  if (!result) return "refused: " + result.error().message();
  return result->rows_independent ? "apart" : result->rows_reason;
}

}  // namespace glasscase::onnx
