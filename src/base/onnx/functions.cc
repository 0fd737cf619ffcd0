#include "functions.h"

#include <algorithm>
#include <utility>

namespace glasscase::onnx {
namespace {

std::string KeyOf(std::string_view domain, std::string_view name, std::string_view overload) {
  std::string key(domain);
  key.append(1, '\0').append(name).append(1, '\0').append(overload);
  return key;
}

bool IsReserved(std::string_view domain) {
  return domain == kOnnxDomain || domain == kMlDomain || domain.starts_with("ai.onnx.") ||
         domain.starts_with("com.microsoft") || domain.starts_with("com.ms.internal");
}

class CallWalk {
 public:
  CallWalk(const ContentsOfFunctions& functions, const Limits& limits)
      : functions_(functions), limits_(limits) {}

  // The nodes of `contents` with all calls replaced.
  Result<uint64_t> Expand(const Contents& contents, uint32_t depth) {
    uint64_t total = contents.nodes;
    for (const auto& [callee, count] : contents.calls) {
      GC_TRY(const uint64_t size, ExpandFunction(*callee, depth + 1));
      if (size != 0 && count > limits_.nodes_max / size) return TooMany();
      total += count * size;
      if (total > limits_.nodes_max) return TooMany();
    }
    return total;
  }

 private:
  struct Visit {
    bool open = false;
    uint64_t size = 0;
    uint32_t height = 0;  // the longest chain of calls below it
  };

  Result<uint64_t> ExpandFunction(const FunctionProto& function, uint32_t depth) {
    if (depth > limits_.nesting_max) return TooDeep(function);
    const auto [found, is_new] = visits_.try_emplace(&function);
    if (found->second.open)
      return Refuse(FunctionLabel(function) + ": calls itself; recursive functions are not allowed");
    if (!is_new) {
      if (depth + found->second.height > limits_.nesting_max) return TooDeep(function);
      return found->second.size;
    }
    found->second.open = true;
    const Contents& contents = functions_.at(&function);
    GC_TRY(const uint64_t size, Expand(contents, depth));
    uint32_t height = 0;
    for (const auto& call : contents.calls) {
      const auto callee = visits_.find(call.first);
      if (callee != visits_.end()) height = std::max(height, callee->second.height + 1);
    }
    visits_[&function] = {.open = false, .size = size, .height = height};
    return size;
  }

  tl::unexpected<Error> TooMany() const {
    return Refuse("graph: with all functions expanded it has more than " + std::to_string(limits_.nodes_max) +
                  " nodes");
  }
  tl::unexpected<Error> TooDeep(const FunctionProto& function) const {
    return Refuse(FunctionLabel(function) + ": functions call each other more than " +
                  std::to_string(limits_.nesting_max) + " deep");
  }

  const ContentsOfFunctions& functions_;
  const Limits& limits_;
  std::unordered_map<const FunctionProto*, Visit> visits_;
};

}  // namespace

std::string FunctionLabel(const FunctionProto& function) {
  return "function " + Quoted(function.domain() + "." + function.name());
}

Result<Functions> Functions::Of(const ModelProto& model) {
  Functions functions;
  for (const FunctionProto& function : model.functions()) {
    const std::string label = FunctionLabel(function);
    if (function.name().empty()) return Refuse(label + ": has no name");
    if (IsReserved(DomainOf(function.domain()))) {
      return Refuse(label +
                    ": functions of a model need a domain of their own, not one of ONNX or ONNX Runtime");
    }
    const std::string key = KeyOf(function.domain(), function.name(), function.overload());
    if (!functions.by_key_.emplace(key, &function).second) return Refuse(label + ": is defined twice");
    ++functions.domains_[function.domain()];
  }
  return functions;
}

const FunctionProto* Functions::Find(const NodeProto& node) const {
  if (by_key_.empty()) return nullptr;
  const auto found = by_key_.find(KeyOf(node.domain(), node.op_type(), node.overload()));
  return found == by_key_.end() ? nullptr : found->second;
}

Status CheckCalls(const Contents& graph, const ContentsOfFunctions& functions, const Limits& limits) {
  CallWalk walk(functions, limits);
  // Functions that nothing calls are walked too: the runtime may look into them.
  for (const auto& [function, contents] : functions) {
    GC_TRY_VOID(walk.Expand({.nodes = 0, .calls = {{function, 1}}}, 0));
  }
  GC_TRY_VOID(walk.Expand(graph, 0));
  return Ok();
}

}  // namespace glasscase::onnx
