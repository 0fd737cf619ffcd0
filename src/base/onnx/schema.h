// The generated protobuf types under short names, and how messages name the parts of a model.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

#include <onnx.pb.h>

#include <glasscase/core/error.h>

namespace glasscase::onnx {

using ::onnx::AttributeProto;
using ::onnx::FunctionProto;
using ::onnx::GraphProto;
using ::onnx::ModelProto;
using ::onnx::NodeProto;
using ::onnx::SparseTensorProto;
using ::onnx::TensorProto;
using ::onnx::ValueInfoProto;

inline constexpr std::string_view kOnnxDomain = "";
inline constexpr std::string_view kMlDomain = "ai.onnx.ml";
inline constexpr std::string_view kMicrosoftDomain = "com.microsoft";

// Domain to version. "ai.onnx" is stored under its other name, "".
using Opsets = std::unordered_map<std::string_view, int64_t>;

// "ai.onnx" and "" are the same domain.
inline std::string_view DomainOf(const std::string& domain) {
  return domain == "ai.onnx" ? kOnnxDomain : std::string_view(domain);
}

// `text` printable and between double quotes.
std::string Quoted(std::string_view text);

// node "fc1" (MatMul), or node 3 (MatMul) where it has no name; `index` counts from 0 in its graph.
std::string NodeLabel(const NodeProto& node, int index);

// The attribute of that name, or null.
const AttributeProto* FindAttribute(const NodeProto& node, std::string_view name);

inline auto Refuse(std::string message) { return Fail(Error::InvalidArgument(std::move(message))); }

// The error of `status` with `context` before it, as a failed Status or Result.
inline auto Within(std::string_view context, const Error& error) { return Fail(error.WithContext(context)); }

}  // namespace glasscase::onnx
