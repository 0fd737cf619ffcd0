// A walk over the protobuf bytes of a model before any of it is parsed.
#pragma once

#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>
#include <glasscase/onnx/inspect.h>

namespace glasscase::onnx {

// How deep protobuf messages may be nested: a subgraph is three messages deep (graph, node, attribute).
inline constexpr uint32_t kMessagesPerSubgraph = 3;
inline constexpr uint32_t kMessagesOutsideSubgraphs = 24;

inline uint32_t MessageNestingMax(const Limits& limits) {
  return limits.nesting_max * kMessagesPerSubgraph + kMessagesOutsideSubgraphs;
}

// Refuses bytes that are not a whole protobuf message, that nest too deep, that hold more than
// `limits.nodes_max` nodes, or whose parsed form would take much more memory than the bytes themselves
// (protobuf makes a 200-byte object of an empty node of two bytes). Allocates nothing.
Status ScanWire(ByteSpan model, const Limits& limits);

}  // namespace glasscase::onnx
