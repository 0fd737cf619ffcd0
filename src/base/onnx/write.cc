#include <glasscase/onnx/write.h>

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>
#include <iterator>
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

// ---- a file as it is written: a message is its fields, one after the other, in the order of their numbers
// ----

using google::protobuf::io::CodedOutputStream;
using google::protobuf::io::StringOutputStream;

constexpr uint32_t Tag(int field, bool is_length_delimited) {
  return static_cast<uint32_t>(field) << 3 | (is_length_delimited ? 2U : 0U);
}

template <typename Write>
void Append(std::string& to, const Write& write) {
  StringOutputStream stream(&to);
  CodedOutputStream coded(&stream);
  write(coded);
}

// What comes before the bytes of a field.
std::string FieldHead(int field, size_t bytes) {
  std::string head;
  Append(head, [&](CodedOutputStream& coded) {
    coded.WriteTag(Tag(field, true));
    coded.WriteVarint32(static_cast<uint32_t>(bytes));
  });
  return head;
}

// Of a file, in order: a large one is put together once, at the end.
using Pieces = std::vector<std::string>;

void AppendField(Pieces& to, int field, std::string bytes) {
  to.push_back(FieldHead(field, bytes.size()));
  to.push_back(std::move(bytes));
}

size_t BytesOf(const Pieces& pieces) {
  size_t bytes = 0;
  for (const std::string& piece : pieces) bytes += piece.size();
  return bytes;
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
  void operator()(const std::vector<std::string_view>& /*values*/) const { GC_CHECK(false); }
};

// A message of protobuf holds a word such as BRANCH_LT in sixty bytes, and a model has one for each node.
std::string StringsAttribute(std::string_view name, const std::vector<std::string_view>& values) {
  std::string bytes;
  size_t room = name.size() + 32;
  for (const std::string_view value : values) room += value.size() + 6;
  bytes.reserve(room);
  Append(bytes, [&](CodedOutputStream& coded) {
    coded.WriteTag(Tag(AttributeProto::kNameFieldNumber, true));
    coded.WriteVarint32(static_cast<uint32_t>(name.size()));
    coded.WriteRaw(name.data(), static_cast<int>(name.size()));
    for (const std::string_view value : values) {
      coded.WriteTag(Tag(AttributeProto::kStringsFieldNumber, true));
      coded.WriteVarint32(static_cast<uint32_t>(value.size()));
      coded.WriteRaw(value.data(), static_cast<int>(value.size()));
    }
    coded.WriteTag(Tag(AttributeProto::kTypeFieldNumber, false));
    coded.WriteVarint32(AttributeProto::STRINGS);
  });
  return bytes;
}

std::string WriteAttribute(const Attribute& attribute) {
  if (const auto* strings = std::get_if<std::vector<std::string_view>>(&attribute.value))
    return StringsAttribute(attribute.name, *strings);
  AttributeProto proto;
  proto.set_name(std::string(attribute.name));
  std::visit(AttributeFiller{proto}, attribute.value);
  return proto.SerializeAsString();
}

TensorProto& NewConstant(GraphProto& graph, std::string_view name, const std::vector<int64_t>& shape,
                         DataType type) {
  TensorProto& tensor = *graph.add_initializer();
  tensor.set_name(std::string(name));
  for (const int64_t dimension : shape) tensor.add_dims(dimension);
  tensor.set_data_type(ElementType(type));
  return tensor;
}

}  // namespace

// Nodes are kept as the file has them: their lists are most of a large model.
struct ModelWriter::State {
  ModelProto model;  // without its nodes
  Pieces nodes;
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
  NodeProto proto;
  for (std::string& input : node.inputs) proto.add_input(std::move(input));
  proto.set_name(node.outputs.front());
  proto.set_op_type(std::string(node.type));
  for (std::string& output : node.outputs) proto.add_output(std::move(output));
  Pieces pieces = {proto.SerializeAsString()};
  for (Attribute& attribute : node.attributes) {
    AppendField(pieces, NodeProto::kAttributeFieldNumber, WriteAttribute(attribute));
    attribute.value = int64_t{0};  // a large list is not held twice
  }
  if (!node.domain.empty()) AppendField(pieces, NodeProto::kDomainFieldNumber, std::string(node.domain));
  state_->nodes.push_back(FieldHead(GraphProto::kNodeFieldNumber, BytesOf(pieces)));
  std::move(pieces.begin(), pieces.end(), std::back_inserter(state_->nodes));
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
  const size_t node_bytes = BytesOf(state->nodes);
  const size_t bytes = node_bytes + state->model.ByteSizeLong();
  if (bytes > static_cast<size_t>(std::numeric_limits<int>::max()))
    return Fail(Error::ResourceExhausted("the model takes " + std::to_string(bytes) +
                                         " bytes as ONNX; a file without external data holds 2 GiB"));
  const std::string graph = state->graph().SerializeAsString();
  ModelProto tail;
  tail.mutable_opset_import()->Swap(state->model.mutable_opset_import());
  state->model.clear_graph();
  const std::string last = tail.SerializeAsString();
  const size_t graph_bytes = node_bytes + graph.size();
  std::string file = state->model.SerializeAsString();
  file += FieldHead(ModelProto::kGraphFieldNumber, graph_bytes);
  file.reserve(file.size() + graph_bytes + last.size());
  for (std::string& piece : state->nodes) {
    file += piece;
    piece = std::string();  // nor is a large file
  }
  return file.append(graph).append(last);
}

}  // namespace glasscase::onnx
