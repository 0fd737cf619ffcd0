#include "unwritten_outputs.h"

#include <algorithm>

namespace glasscase::onnx {
namespace {

size_t CountOf(const NodeProto& node, std::string_view name) {
  const AttributeProto* attribute = FindAttribute(node, name);
  if (attribute == nullptr) return 0;
  if (attribute->has_t())
    return static_cast<size_t>(attribute->t().dims_size() == 1 ? attribute->t().dims(0) : 1);
  return static_cast<size_t>(
      std::max({attribute->ints_size(), attribute->floats_size(), attribute->strings_size()}));
}

bool IsReference(const NodeProto& node, std::string_view name) {
  const AttributeProto* attribute = FindAttribute(node, name);
  return attribute != nullptr && !attribute->ref_attr_name().empty();
}

size_t CountOfLabels(const NodeProto& node) {
  return std::max({CountOf(node, "classlabels_ints"), CountOf(node, "classlabels_int64s"),
                   CountOf(node, "classlabels_strings")});
}

bool NamesSeveralClasses(const NodeProto& node) {
  const AttributeProto* ids = FindAttribute(node, "class_ids");
  return ids != nullptr && std::any_of(ids->ints().begin(), ids->ints().end(),
                                       [ids](int64_t id) { return id != ids->ints(0); });
}

}  // namespace

Status CheckOutputsWritten(const NodeProto& node) {
  if (DomainOf(node.domain()) != kMlDomain) return Ok();
  const bool trees = node.op_type() == "TreeEnsembleClassifier";
  const bool vectors = node.op_type() == "SVMClassifier";
  if (!trees && !vectors && node.op_type() != "LinearClassifier") return Ok();

  for (const std::string_view name :
       {"classlabels_ints", "classlabels_int64s", "classlabels_strings", "class_ids", "base_values",
        "base_values_as_tensor", "post_transform"}) {
    if (IsReference(node, name))
      return Refuse("attribute " + Quoted(name) + ": must be written out, not a reference");
  }
  const size_t labels = CountOfLabels(node);
  if (vectors && labels < 2) return Refuse("classlabels: a classifier needs at least two classes");
  const AttributeProto* transform = FindAttribute(node, "post_transform");
  if (transform != nullptr && transform->s() == "PROBIT" && labels <= 2) {
    return Refuse(
        "post_transform: PROBIT with two classes is not supported by the runtime; apply it in nodes of its "
        "own");
  }
  const size_t base_values = std::max(CountOf(node, "base_values"), CountOf(node, "base_values_as_tensor"));
  if (trees && labels <= 2 && base_values == 1 && NamesSeveralClasses(node)) {
    return Refuse("base_values: one value for two classes with weights of both; give one value per class");
  }
  return Ok();
}

}  // namespace glasscase::onnx
