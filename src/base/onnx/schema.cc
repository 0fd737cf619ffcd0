#include "schema.h"

#include <glasscase/core/bytes.h>

namespace glasscase::onnx {

std::string Quoted(std::string_view text) { return '"' + Printable(text) + '"'; }

std::string NodeLabel(const NodeProto& node, int index) {
  const std::string name = node.name().empty() ? std::to_string(index) : Quoted(node.name());
  return "node " + name + " (" + Printable(node.op_type()) + ")";
}

const AttributeProto* FindAttribute(const NodeProto& node, std::string_view name) {
  for (const AttributeProto& attribute : node.attribute()) {
    if (attribute.name() == name) return &attribute;
  }
  return nullptr;
}

}  // namespace glasscase::onnx
