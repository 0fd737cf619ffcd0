#include "rows.h"

#include <unordered_set>

#include "rows_run.h"
#include "types.h"

namespace glasscase::onnx {
namespace {

constexpr int64_t kOldestOpset = 7;  // before, broadcasting went by attributes

// An input [n, n] has rows of another length when their number changes.
std::string WhyRowNameRepeats(const GraphProto& graph) {
  std::unordered_set<std::string_view> row_names;
  for (const ValueInfoProto& input : graph.input()) {
    const auto& dims = input.type().tensor_type().shape().dim();
    if (!dims.empty() && !dims[0].dim_param().empty()) row_names.insert(dims[0].dim_param());
  }
  for (const ValueInfoProto& input : graph.input()) {
    const auto& dims = input.type().tensor_type().shape().dim();
    for (int i = 1; i < dims.size(); ++i) {
      if (!row_names.contains(dims[i].dim_param())) continue;
      return PortLabel(Direction::kInput, input) + ": has the number of rows as dimension " +
             std::to_string(i) + " too";
    }
  }
  return {};
}

// What the declarations alone rule out.
std::string WhyNotDeclaredByRow(const CheckedModel& checked) {
  if (checked.inputs.empty()) return "the model has no inputs";
  const auto opset = checked.opsets.find(kOnnxDomain);
  if (opset != checked.opsets.end() && opset->second < kOldestOpset) {
    return "opset " + std::to_string(opset->second) + " is older than " + std::to_string(kOldestOpset);
  }
  const auto varies = [](const TensorSpec& spec) { return !spec.shape.empty() && spec.shape[0] < 0; };
  for (const TensorSpec& spec : checked.inputs) {
    if (!varies(spec)) return "input " + Quoted(spec.name) + ": dimension 0 does not vary";
  }
  for (const TensorSpec& spec : checked.outputs) {
    if (!varies(spec)) return "output " + Quoted(spec.name) + ": dimension 0 does not vary";
  }
  return WhyRowNameRepeats(checked.model.graph());
}

std::string WhyNotRows(const TensorSpec& output, const Value* value) {
  const std::string label = "output " + Quoted(output.name) + ": ";
  if (value == nullptr) return label + "is made by a part of a node that is not followed";
  if (value->IsFixed()) return label + "is the same for any number of rows";
  if (value->axis != 0) return label + "has the rows in dimension " + std::to_string(value->axis);
  if (value->block != 1)
    return label + "has " + std::to_string(value->block) + " entries per row in dimension 0";
  return {};
}

}  // namespace

std::string WhyRowsAreNotIndependent(const CheckedModel& checked) {
  if (std::string reason = WhyNotDeclaredByRow(checked); !reason.empty()) return reason;
  RowRun run(checked);
  if (std::string reason = run.RunModel(); !reason.empty()) return reason;
  for (const TensorSpec& output : checked.outputs) {
    if (std::string reason = WhyNotRows(output, run.Find(output.name)); !reason.empty()) return reason;
  }
  return {};
}

}  // namespace glasscase::onnx
