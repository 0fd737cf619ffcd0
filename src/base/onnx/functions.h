// Functions that a model defines for itself: which there are, and whether calling them ends.
#pragma once

#include <string>
#include <unordered_map>

#include <glasscase/core/error.h>
#include <glasscase/onnx/inspect.h>

#include "schema.h"

namespace glasscase::onnx {

// function "pkg.f" (of domain "pkg")
std::string FunctionLabel(const FunctionProto& function);

// The functions of one model by domain, name and overload. The model outlives it.
class Functions {
 public:
  // Refuses functions without a name or domain, two of one name, and functions in the domains of ONNX and
  // ONNX Runtime, where they would replace an operator.
  static Result<Functions> Of(const ModelProto& model);

  // The function that `node` calls, or null when it is an operator.
  const FunctionProto* Find(const NodeProto& node) const;
  // Whether some function has this domain.
  bool HasDomain(std::string_view domain) const { return domains_.contains(std::string(domain)); }

 private:
  std::unordered_map<std::string, const FunctionProto*> by_key_;
  std::unordered_map<std::string, int> domains_;
};

// What a graph or a function body holds, its subgraphs included.
struct Contents {
  uint64_t nodes = 0;
  std::unordered_map<const FunctionProto*, uint64_t> calls;  // how often each function is called
};

using ContentsOfFunctions = std::unordered_map<const FunctionProto*, Contents>;

// Refuses functions that call themselves, directly or through others, calls nested deeper than
// `limits.nesting_max`, and a model that has more than `limits.nodes_max` nodes once every call is replaced
// by the function's body.
Status CheckCalls(const Contents& graph, const ContentsOfFunctions& functions, const Limits& limits);

}  // namespace glasscase::onnx
