#include "rows_rules.h"

namespace glasscase::onnx {

const AttributeProto* NodeView::Attribute(std::string_view name) const {
  const AttributeProto* attribute = FindAttribute(node_, name);
  return attribute == nullptr ? nullptr : Resolve(*attribute);
}

const AttributeProto* NodeView::Resolve(const AttributeProto& attribute) const {
  if (attribute.ref_attr_name().empty()) return &attribute;
  if (call_ == nullptr) return nullptr;
  const auto found = call_->find(attribute.ref_attr_name());
  return found == call_->end() ? nullptr : found->second;
}

int64_t NodeView::Int(std::string_view name, int64_t otherwise) const {
  const AttributeProto* attribute = Attribute(name);
  return attribute == nullptr ? otherwise : attribute->i();
}

std::optional<std::vector<int64_t>> NodeView::Ints(std::string_view name) const {
  const AttributeProto* attribute = Attribute(name);
  if (attribute == nullptr) return std::nullopt;
  return std::vector<int64_t>(attribute->ints().begin(), attribute->ints().end());
}

std::string_view NodeView::Text(std::string_view name, std::string_view otherwise) const {
  const AttributeProto* attribute = Attribute(name);
  return attribute == nullptr ? otherwise : std::string_view(attribute->s());
}

NodeView::Given NodeView::Numbers(std::string_view name, int64_t last_as_attribute, size_t i) const {
  const AttributeProto* attribute = Attribute(name);
  if (attribute != nullptr && (Has(i) || opset_ > last_as_attribute)) return {false, true, {}};
  if (attribute != nullptr) {
    if (attribute->type() == AttributeProto::INT) return {true, true, {attribute->i()}};
    return {true, true, {attribute->ints().begin(), attribute->ints().end()}};
  }
  if (!Has(i)) return {};
  if (opset_ <= last_as_attribute) return {false, true, {}};
  auto numbers = In(i).KnownNumbers();
  if (!numbers) return {false, true, {}};
  return {true, true, std::move(*numbers)};
}

bool NodeView::RestIsConstant(size_t first) const {
  for (size_t i = first; i < inputs_.size(); ++i) {
    if (Has(i) && (!In(i).IsFixed() || In(i).CountsRows())) return false;
  }
  return true;
}

}  // namespace glasscase::onnx
