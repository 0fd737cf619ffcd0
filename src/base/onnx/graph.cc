#include "graph.h"

#include <algorithm>
#include <utility>

#include "unwritten_outputs.h"

namespace glasscase::onnx {
namespace {

using Nodes = ::google::protobuf::RepeatedPtrField<NodeProto>;

// The newest opset of each domain that ONNX Runtime 1.31 loads.
int64_t NewestVersion(std::string_view domain) {
  if (domain == kOnnxDomain) return 26;
  if (domain == kMlDomain) return 5;
  if (domain == kMicrosoftDomain) return 1;
  return 0;
}

constexpr int kGiven = -1;  // produced by no node: an input or initializer

// The value fields that an attribute has set, as a set of bits by AttributeType.
uint32_t FieldsOf(const AttributeProto& a) {
  uint32_t fields = 0;
  const auto add = [&fields](bool present, int type) { fields |= present ? 1u << type : 0u; };
  add(a.has_f(), AttributeProto::FLOAT);
  add(a.has_i(), AttributeProto::INT);
  add(a.has_s(), AttributeProto::STRING);
  add(a.has_t(), AttributeProto::TENSOR);
  add(a.has_g(), AttributeProto::GRAPH);
  add(a.has_sparse_tensor(), AttributeProto::SPARSE_TENSOR);
  add(a.has_tp(), AttributeProto::TYPE_PROTO);
  add(a.floats_size() != 0, AttributeProto::FLOATS);
  add(a.ints_size() != 0, AttributeProto::INTS);
  add(a.strings_size() != 0, AttributeProto::STRINGS);
  add(a.tensors_size() != 0, AttributeProto::TENSORS);
  add(a.graphs_size() != 0, AttributeProto::GRAPHS);
  add(a.sparse_tensors_size() != 0, AttributeProto::SPARSE_TENSORS);
  add(a.type_protos_size() != 0, AttributeProto::TYPE_PROTOS);
  return fields;
}

std::string TensorLabel(const TensorProto& tensor) { return "tensor " + Quoted(tensor.name()); }

}  // namespace

// The nodes of one graph or function and the names that are known in it.
struct GraphChecker::Body {
  std::string label;  // "graph", "subgraph", function "f"
  const Nodes* nodes = nullptr;
  std::unordered_map<std::string_view, int> makers;  // name to the node that makes it, or kGiven
  std::vector<std::string_view> results;
  bool takes_outer_names = false;

  // For each node, the nodes that read what it makes; and how many of its makers are not yet ordered.
  std::vector<std::vector<int>> readers;
  std::vector<int> waiting_for;

  Status Give(std::string_view name, std::string_view what) {
    if (name.empty()) return Refuse(label + ": an " + std::string(what) + " has no name");
    if (makers.emplace(name, kGiven).second) return Ok();
    return Refuse(label + ": " + std::string(what) + " " + Quoted(name) + " is defined twice");
  }

  Status AddOutputs() {
    for (int i = 0; i < nodes->size(); ++i) {
      for (const std::string& output : (*nodes)[i].output()) {
        if (output.empty() || makers.emplace(output, i).second) continue;
        return Refuse(NodeLabel((*nodes)[i], i) + ": output " + Quoted(output) + " is defined twice");
      }
    }
    readers.resize(static_cast<size_t>(nodes->size()));
    waiting_for.assign(static_cast<size_t>(nodes->size()), 0);
    return Ok();
  }

  // Notes that `node` reads `name`; false when nothing here makes it.
  bool Read(std::string_view name, int node) {
    const auto maker = makers.find(name);
    if (maker == makers.end()) return false;
    if (maker->second == kGiven) return true;
    readers[static_cast<size_t>(maker->second)].push_back(node);
    ++waiting_for[static_cast<size_t>(node)];
    return true;
  }

  // Kahn's algorithm; what it cannot order lies on a cycle or behind one.
  Status CheckNoCycle() {
    std::vector<int> ready;
    for (int i = 0; i < nodes->size(); ++i) {
      if (waiting_for[static_cast<size_t>(i)] == 0) ready.push_back(i);
    }
    size_t ordered = 0;
    while (!ready.empty()) {
      const int node = ready.back();
      ready.pop_back();
      ++ordered;
      for (const int reader : readers[static_cast<size_t>(node)]) {
        if (--waiting_for[static_cast<size_t>(reader)] == 0) ready.push_back(reader);
      }
    }
    if (ordered == waiting_for.size()) return Ok();
    const auto stuck =
        std::find_if(waiting_for.begin(), waiting_for.end(), [](int count) { return count != 0; });
    const int index = static_cast<int>(stuck - waiting_for.begin());
    return Refuse(NodeLabel((*nodes)[index], index) + ": the nodes of this " + label +
                  " wait for each other in a cycle; this one is on it or behind it");
  }
};

Result<Contents> GraphChecker::CheckModelGraph(const GraphProto& graph, const Opsets& opsets) {
  contents_ = {};
  in_function_ = false;
  std::vector<FreeName> free;
  GC_TRY_VOID(CheckGraph(graph, opsets, 0, free));
  if (!free.empty()) {
    return Refuse(NodeLabel(*free.front().node, free.front().index) + ": input " + Quoted(free.front().name) +
                  " is made by nothing");
  }
  return std::move(contents_);
}

Result<Contents> GraphChecker::CheckFunction(const FunctionProto& function) {
  contents_ = {};
  in_function_ = true;
  Body body{.label = FunctionLabel(function),
            .nodes = &function.node(),
            .makers = {},
            .results = {},
            .takes_outer_names = false,
            .readers = {},
            .waiting_for = {}};
  auto opsets = ReadOpsets(function.opset_import());
  if (!opsets) return Within(body.label, opsets.error());
  for (const std::string& input : function.input()) GC_TRY_VOID(body.Give(input, "input"));
  for (const AttributeProto& attribute : function.attribute_proto()) {
    if (attribute.has_g() || attribute.graphs_size() != 0) {
      return Refuse(body.label + ": attribute " + Quoted(attribute.name()) + ": a default cannot be a graph");
    }
    if (auto status = CheckAttribute(attribute); !status) return Within(body.label, status.error());
  }
  body.results.assign(function.output().begin(), function.output().end());
  std::vector<FreeName> free;
  if (auto status = CheckBody(body, *opsets, 0, free); !status) return Within(body.label, status.error());
  if (!free.empty()) {
    return Refuse(body.label + ": " + NodeLabel(*free.front().node, free.front().index) + ": input " +
                  Quoted(free.front().name) + " is made by nothing");
  }
  return std::move(contents_);
}

Status GraphChecker::CheckGraph(const GraphProto& graph, const Opsets& opsets, uint32_t depth,
                                std::vector<FreeName>& free) {
  if (depth > limits_.nesting_max) {
    return Refuse("subgraph: nested more than " + std::to_string(limits_.nesting_max) + " deep");
  }
  Body body{.label = depth == 0 && !in_function_ ? "graph" : "subgraph",
            .nodes = &graph.node(),
            .makers = {},
            .results = {},
            .takes_outer_names = depth > 0,
            .readers = {},
            .waiting_for = {}};
  GC_TRY_VOID(CheckInitializers(graph, body));
  std::unordered_map<std::string_view, int> inputs;
  for (const ValueInfoProto& input : graph.input()) {
    if (!inputs.emplace(input.name(), 0).second) {
      return Refuse(body.label + ": input " + Quoted(input.name()) + " is defined twice");
    }
    // An initializer may give an input its default.
    if (!body.makers.contains(input.name())) GC_TRY_VOID(body.Give(input.name(), "input"));
  }
  for (const ValueInfoProto& output : graph.output()) body.results.push_back(output.name());
  return CheckBody(body, opsets, depth, free);
}

Status GraphChecker::CheckInitializers(const GraphProto& graph, Body& body) {
  for (const TensorProto& tensor : graph.initializer()) {
    GC_TRY_VOID(body.Give(tensor.name(), "initializer"));
    if (auto status = tensors_.Check(tensor); !status) return Within(TensorLabel(tensor), status.error());
    parameters_ += CountElements(tensor.dims()).value_or(0);
  }
  for (const SparseTensorProto& tensor : graph.sparse_initializer()) {
    GC_TRY_VOID(body.Give(tensor.values().name(), "initializer"));
    if (auto status = tensors_.Check(tensor); !status)
      return Within(TensorLabel(tensor.values()), status.error());
    parameters_ += CountElements(tensor.values().dims()).value_or(0);
  }
  return Ok();
}

Status GraphChecker::CheckBody(Body& body, const Opsets& opsets, uint32_t depth,
                               std::vector<FreeName>& free) {
  GC_TRY_VOID(body.AddOutputs());
  std::unordered_map<std::string_view, int> freed;  // each name is passed outwards once
  const auto read = [&](std::string_view name, const NodeProto& node, int index, int reader) {
    if (!body.Read(name, reader) && freed.emplace(name, 0).second) free.push_back({name, &node, index});
  };
  for (int i = 0; i < body.nodes->size(); ++i) {
    const NodeProto& node = (*body.nodes)[i];
    ++contents_.nodes;
    if (auto status = CheckNode(node, opsets); !status) return Within(NodeLabel(node, i), status.error());
    for (const std::string& input : node.input()) {
      if (!input.empty()) read(input, node, i, i);
    }
    std::vector<FreeName> taken;
    if (auto status = CheckSubgraphs(node, opsets, depth, taken); !status)
      return Within(NodeLabel(node, i), status.error());
    for (const FreeName& name : taken) read(name.name, *name.node, name.index, i);
  }
  for (const std::string_view result : body.results) {
    // The outputs of a subgraph may be values of the graphs around it.
    if (body.makers.contains(result) || (body.takes_outer_names && !result.empty())) continue;
    return Refuse(body.label + ": output " + Quoted(result) + " is made by nothing");
  }
  return body.CheckNoCycle();
}

Status GraphChecker::CheckNode(const NodeProto& node, const Opsets& opsets) {
  if (node.op_type().empty()) return Refuse("op_type: is empty");
  if (const FunctionProto* callee = functions_.Find(node); callee != nullptr) {
    if (node.input_size() > callee->input_size() || node.output_size() > callee->output_size()) {
      return Refuse("has more inputs or outputs than " + FunctionLabel(*callee));
    }
    ++contents_.calls[callee];
  } else {
    GC_TRY_VOID(CheckOperator(node, opsets));
  }
  std::unordered_map<std::string_view, int> names;
  for (const AttributeProto& attribute : node.attribute()) {
    const std::string label = "attribute " + Quoted(attribute.name());
    if (!names.emplace(attribute.name(), 0).second) return Refuse(label + ": is given twice");
    if (auto status = CheckAttribute(attribute); !status) return Within(label, status.error());
  }
  return CheckOutputsWritten(node);
}

Status GraphChecker::CheckOperator(const NodeProto& node, const Opsets& opsets) {
  const std::string_view domain = DomainOf(node.domain());
  if (functions_.HasDomain(domain))
    return Refuse("domain " + Quoted(domain) + ": the model has no such function");
  if (domain.starts_with("ai.onnx.training") || domain.starts_with("ai.onnx.preview")) {
    return Refuse("domain " + Quoted(domain) +
                  ": operators for training are not supported; export for inference");
  }
  if (NewestVersion(domain) == 0) {
    return Refuse("domain " + Quoted(domain) +
                  " is not known; export with operators of ai.onnx, ai.onnx.ml or " + "com.microsoft");
  }
  if (domain == kMicrosoftDomain && node.op_type() == "EPContext") {
    return Refuse(
        "precompiled blobs for one device are not supported; publish the model they were made from");
  }
  if (opsets.contains(domain)) return Ok();
  return Refuse("opset_import: the model imports no version of domain " +
                Quoted(domain.empty() ? "ai.onnx" : domain));
}

Status GraphChecker::CheckAttribute(const AttributeProto& attribute) {
  if (attribute.name().empty()) return Refuse("name: is empty");
  const uint32_t fields = FieldsOf(attribute);
  if (!attribute.ref_attr_name().empty()) {
    if (!in_function_) return Refuse("ref_attr_name: only functions can refer to attributes of their caller");
    return fields == 0 ? Ok() : Status(Refuse("ref_attr_name: a reference cannot have a value too"));
  }
  // A runtime that trusts `type` and one that looks at the fields must read the same value.
  if (attribute.type() == AttributeProto::UNDEFINED) return Refuse("type: is not set");
  if ((fields & ~(1u << attribute.type())) != 0) return Refuse("type: does not fit the value that is set");

  if (attribute.has_t()) {
    if (auto status = tensors_.Check(attribute.t()); !status) return Within("t", status.error());
  }
  for (const TensorProto& tensor : attribute.tensors()) {
    if (auto status = tensors_.Check(tensor); !status) return Within("tensors", status.error());
  }
  if (attribute.has_sparse_tensor()) {
    if (auto status = tensors_.Check(attribute.sparse_tensor()); !status)
      return Within("sparse_tensor", status.error());
  }
  for (const SparseTensorProto& tensor : attribute.sparse_tensors()) {
    if (auto status = tensors_.Check(tensor); !status) return Within("sparse_tensors", status.error());
  }
  return Ok();
}

Status GraphChecker::CheckSubgraphs(const NodeProto& node, const Opsets& opsets, uint32_t depth,
                                    std::vector<FreeName>& free) {
  for (const AttributeProto& attribute : node.attribute()) {
    if (attribute.has_g()) GC_TRY_VOID(CheckGraph(attribute.g(), opsets, depth + 1, free));
    for (const GraphProto& graph : attribute.graphs())
      GC_TRY_VOID(CheckGraph(graph, opsets, depth + 1, free));
  }
  return Ok();
}

Result<Opsets> ReadOpsets(const ::google::protobuf::RepeatedPtrField<::onnx::OperatorSetIdProto>& imports) {
  Opsets opsets;
  for (const auto& import : imports) {
    const std::string_view domain = DomainOf(import.domain());
    const std::string label = "opset_import " + Quoted(domain.empty() ? "ai.onnx" : domain) + ": ";
    const int64_t newest = NewestVersion(domain);
    if (import.version() < 1)
      return Refuse(label + "version " + std::to_string(import.version()) + " does not exist");
    if (newest != 0 && import.version() > newest) {
      return Refuse(label + "version " + std::to_string(import.version()) + " is newer than version " +
                    std::to_string(newest) + ", the newest that the runtime knows; export with that one");
    }
    // skl2onnx writes the same import twice; only a contradiction is an error.
    if (opsets.try_emplace(domain, import.version()).first->second == import.version()) continue;
    return Refuse(label + "is given in two versions");
  }
  return opsets;
}

}  // namespace glasscase::onnx
