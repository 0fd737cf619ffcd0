#include <glasscase/onnx/write.h>

#include <limits>

#include "schema.h"

namespace glasscase::onnx {
namespace {

constexpr char kProducer[] = "glasscase";

int ElementType(DataType type) {
  switch (type) {
    case DataType::kFp32: return TensorProto::FLOAT;
    case DataType::kFp64: return TensorProto::DOUBLE;
    case DataType::kBool: return TensorProto::BOOL;
    case DataType::kBytes: return TensorProto::STRING;
    default: GC_CHECK(type == DataType::kInt64); return TensorProto::INT64;
  }
}

void Describe(const TensorSpec& spec, ValueInfoProto& info) {
  info.set_name(spec.name);
  auto& tensor = *info.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(ElementType(spec.datatype));
  for (const int64_t dimension : spec.shape) {
    auto& dim = *tensor.mutable_shape()->add_dim();
    if (dimension < 0) {
      dim.set_dim_param("n");
    } else {
      dim.set_dim_value(dimension);
    }
  }
}

// x86-64 and AArch64 are little-endian, as the format is.
template <typename T>
void SetRaw(const std::vector<T>& values, TensorProto& tensor) {
  tensor.set_raw_data(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

// Each alternative of AttributeValue in the field that the format has for it.
struct AttributeFiller {
  AttributeProto& proto;

  void operator()(int64_t value) const {
    proto.set_type(AttributeProto::INT);
    proto.set_i(value);
  }
  void operator()(const std::string& value) const {
    proto.set_type(AttributeProto::STRING);
    proto.set_s(value);
  }
  void operator()(const std::vector<int64_t>& values) const {
    proto.set_type(AttributeProto::INTS);
    proto.mutable_ints()->Add(values.begin(), values.end());
  }
  void operator()(const std::vector<float>& values) const {
    proto.set_type(AttributeProto::FLOATS);
    proto.mutable_floats()->Add(values.begin(), values.end());
  }
  void operator()(const std::vector<double>& values) const {
    proto.set_type(AttributeProto::TENSOR);
    TensorProto& tensor = *proto.mutable_t();
    tensor.add_dims(static_cast<int64_t>(values.size()));
    tensor.set_data_type(TensorProto::DOUBLE);
    SetRaw(values, tensor);
  }
  void operator()(const std::vector<std::string_view>& values) const {
    proto.set_type(AttributeProto::STRINGS);
    proto.mutable_strings()->Reserve(static_cast<int>(values.size()));
    for (const std::string_view value : values) proto.add_strings(value.data(), value.size());
  }
};

TensorProto& NewConstant(GraphProto& graph, std::string_view name, const std::vector<int64_t>& shape,
                         DataType type) {
  TensorProto& tensor = *graph.add_initializer();
  tensor.set_name(std::string(name));
  for (const int64_t dimension : shape) tensor.add_dims(dimension);
  tensor.set_data_type(ElementType(type));
  return tensor;
}

}  // namespace

struct ModelWriter::State {
  ModelProto model;
  GraphProto& graph() { return *model.mutable_graph(); }
};

ModelWriter::ModelWriter(std::string_view graph_name, std::string_view origin)
    : state_(std::make_unique<State>()) {
  ModelProto& model = state_->model;
  model.set_ir_version(kWrittenIrVersion);
  model.set_producer_name(kProducer);
  model.set_producer_version(std::string(origin));
  auto& opset = *model.add_opset_import();
  opset.set_domain("");
  opset.set_version(kWrittenOpset);
  auto& ml = *model.add_opset_import();
  ml.set_domain(std::string(kAiOnnxMl));
  ml.set_version(kWrittenMlOpset);
  state_->graph().set_name(std::string(graph_name));
}

ModelWriter::~ModelWriter() = default;

void ModelWriter::AddInput(const TensorSpec& spec) { Describe(spec, *state_->graph().add_input()); }
void ModelWriter::AddOutput(const TensorSpec& spec) { Describe(spec, *state_->graph().add_output()); }

void ModelWriter::AddNode(NodeSpec node) {
  NodeProto& proto = *state_->graph().add_node();
  proto.set_op_type(std::string(node.type));
  proto.set_name(node.outputs.front());
  if (!node.domain.empty()) proto.set_domain(std::string(node.domain));
  for (std::string& input : node.inputs) proto.add_input(std::move(input));
  for (std::string& output : node.outputs) proto.add_output(std::move(output));
  for (Attribute& attribute : node.attributes) {
    AttributeProto& filled = *proto.add_attribute();
    filled.set_name(std::string(attribute.name));
    std::visit(AttributeFiller{filled}, attribute.value);
    attribute.value = int64_t{0};  // a large list is not held twice
  }
}

void ModelWriter::AddConstant(std::string_view name, const std::vector<int64_t>& shape,
                              const std::vector<float>& values) {
  SetRaw(values, NewConstant(state_->graph(), name, shape, DataType::kFp32));
}
void ModelWriter::AddConstant(std::string_view name, const std::vector<int64_t>& shape,
                              const std::vector<double>& values) {
  SetRaw(values, NewConstant(state_->graph(), name, shape, DataType::kFp64));
}
void ModelWriter::AddConstant(std::string_view name, const std::vector<int64_t>& shape,
                              const std::vector<int64_t>& values) {
  SetRaw(values, NewConstant(state_->graph(), name, shape, DataType::kInt64));
}
void ModelWriter::AddConstant(std::string_view name, const std::vector<int64_t>& shape,
                              const std::vector<bool>& values) {
  const std::vector<uint8_t> bytes(values.begin(), values.end());
  SetRaw(bytes, NewConstant(state_->graph(), name, shape, DataType::kBool));
}
void ModelWriter::AddConstant(std::string_view name, const std::vector<int64_t>& shape,
                              const std::vector<std::string>& values) {
  TensorProto& tensor = NewConstant(state_->graph(), name, shape, DataType::kBytes);
  for (const std::string& value : values) tensor.add_string_data(value);
}

Result<std::string> ModelWriter::Finish() {
  const std::unique_ptr<State> state = std::exchange(state_, std::make_unique<State>());
  const size_t bytes = state->model.ByteSizeLong();
  if (bytes > static_cast<size_t>(std::numeric_limits<int>::max())) {
    return Fail(Error::ResourceExhausted("the model takes " + std::to_string(bytes) +
                                         " bytes as ONNX; a file without external data holds 2 GiB"));
  }
  std::string file;
  GC_CHECK(state->model.SerializeToString(&file));
  return file;
}

}  // namespace glasscase::onnx
