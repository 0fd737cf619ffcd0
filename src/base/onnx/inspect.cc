#include <glasscase/onnx/inspect.h>

#include <algorithm>
#include <limits>
#include <unordered_set>

#include <google/protobuf/io/coded_stream.h>

#include "functions.h"
#include "graph.h"
#include "rows.h"
#include "schema.h"
#include "tensors.h"
#include "types.h"
#include "wire_scan.h"

namespace glasscase::onnx {
namespace {

constexpr int64_t kIrVersionMin = 3;
constexpr int64_t kIrVersionMax = 13;

Status CheckSizes(ByteSpan model, std::span<const ExternalFile> files, const Limits& limits) {
  const uint64_t model_max = std::min<uint64_t>(limits.model_bytes_max, std::numeric_limits<int>::max());
  if (model.size() > model_max) {
    return Refuse("model: " + std::to_string(model.size()) + " bytes, at most " + std::to_string(model_max) +
                  " are allowed; keep the weights in external data files");
  }
  uint64_t total = model.size();
  for (const ExternalFile& file : files) {
    total += file.bytes.size();
    if (file.bytes.size() > limits.total_bytes_max || total > limits.total_bytes_max) {
      return Refuse("model: with its external data more than " + std::to_string(limits.total_bytes_max) +
                    " bytes");
    }
  }
  return Ok();
}

Status Parse(ByteSpan bytes, const Limits& limits, ModelProto& model) {
  ::google::protobuf::io::CodedInputStream stream(bytes.data(), static_cast<int>(bytes.size()));
  stream.SetRecursionLimit(static_cast<int>(MessageNestingMax(limits)) + 1);
  if (!model.ParseFromCodedStream(&stream) || !stream.ConsumedEntireMessage()) {
    return Refuse("model: is not an ONNX model, or is cut off");
  }
  return Ok();
}

Status CheckHeader(const ModelProto& model) {
  if (model.ir_version() < kIrVersionMin || model.ir_version() > kIrVersionMax) {
    return Refuse("ir_version: " + std::to_string(model.ir_version()) + " is not between " +
                  std::to_string(kIrVersionMin) + " and " + std::to_string(kIrVersionMax));
  }
  if (!model.has_graph()) return Refuse("graph: is missing; this is not an ONNX model");
  if (model.training_info_size() != 0) return Refuse("training_info: not supported; export for inference");
  if (model.opset_import_size() == 0) return Refuse("opset_import: is missing");
  return Ok();
}

Status ReadPorts(const GraphProto& graph, const Limits& limits, Description& description) {
  std::unordered_set<std::string_view> initializers;
  for (const TensorProto& tensor : graph.initializer()) initializers.insert(tensor.name());
  for (const SparseTensorProto& tensor : graph.sparse_initializer())
    initializers.insert(tensor.values().name());
  for (const ValueInfoProto& info : graph.input()) {
    if (initializers.contains(info.name())) continue;
    if (description.inputs.size() == limits.inputs_max) {
      return Refuse("graph: more than " + std::to_string(limits.inputs_max) + " inputs");
    }
    GC_TRY(description.inputs.emplace_back(), ReadSpec(Direction::kInput, info));
  }
  std::unordered_set<std::string_view> outputs;
  for (const ValueInfoProto& info : graph.output()) {
    if (description.outputs.size() == limits.outputs_max) {
      return Refuse("graph: more than " + std::to_string(limits.outputs_max) + " outputs");
    }
    if (!outputs.insert(info.name()).second)
      return Refuse(PortLabel(Direction::kOutput, info) + ": is defined twice");
    GC_TRY(description.outputs.emplace_back(), ReadSpec(Direction::kOutput, info));
  }
  if (description.outputs.empty()) return Refuse("graph: has no outputs");
  return Ok();
}

std::vector<std::pair<std::string, int64_t>> Sorted(const Opsets& opsets) {
  std::vector<std::pair<std::string, int64_t>> sorted(opsets.begin(), opsets.end());
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

}  // namespace

Result<Description> Inspect(ByteSpan bytes, std::span<const ExternalFile> files, const Limits& limits) {
  GC_TRY_VOID(CheckSizes(bytes, files, limits));
  GC_TRY_VOID(ScanWire(bytes, limits));
  ModelProto model;
  GC_TRY_VOID(Parse(bytes, limits, model));
  GC_TRY_VOID(CheckHeader(model));

  Description description;
  description.ir_version = model.ir_version();
  description.producer = Printable(model.producer_name() + (model.producer_version().empty() ? "" : " ") +
                                       model.producer_version(),
                                   110)
                             .substr(0, 120);
  GC_TRY(const Opsets opsets, ReadOpsets(model.opset_import()));
  description.opsets = Sorted(opsets);
  GC_TRY(const Functions functions, Functions::Of(model));
  // Types first: a ZipMap output is better explained by its type than by a node.
  GC_TRY_VOID(ReadPorts(model.graph(), limits, description));

  TensorChecker tensors(files, limits);
  GraphChecker checker(functions, tensors, limits);
  ContentsOfFunctions contents;
  for (const FunctionProto& function : model.functions()) {
    GC_TRY(contents[&function], checker.CheckFunction(function));
  }
  GC_TRY(const Contents graph, checker.CheckModelGraph(model.graph(), opsets));
  GC_TRY_VOID(CheckCalls(graph, contents, limits));
  description.parameters = checker.parameters();
  description.external_paths = tensors.ReferredPaths();

  description.rows_reason = WhyRowsAreNotIndependent({.model = model,
                                                      .opsets = opsets,
                                                      .functions = functions,
                                                      .tensors = tensors,
                                                      .inputs = description.inputs,
                                                      .outputs = description.outputs});
  description.rows_independent = description.rows_reason.empty();
  return description;
}

}  // namespace glasscase::onnx
