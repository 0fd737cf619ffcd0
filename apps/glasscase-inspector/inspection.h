// What the inspector finds out about files that somebody wants to publish.
#pragma once

#include <span>

#include <glasscase/inference/engine.h>
#include <glasscase/process/fd.h>
#include <glasscase/rpc/link.pb.h>

namespace glasscase::inspector {

// Checks the signature, if one came with them. Of files for a host: copies, checks them (base/onnx), then has
// the engine load them, and compares what both say about inputs and outputs. Every failure is in the report:
// InvalidArgument when the files are at fault.
rpc::InspectReport InspectFiles(const rpc::InspectJob& job, std::span<const Fd> fds,
                                inference::Engine& engine, uint64_t bytes_max);

}  // namespace glasscase::inspector
