// ONNX Runtime behind inference/engine.h.
#pragma once

#include <cstdint>
#include <memory>

#include <glasscase/core/error.h>
#include <glasscase/inference/engine.h>

namespace glasscase::inference {

struct OnnxRuntimeOptions {
  uint32_t threads = 1;  // of the one pool that all larger models share; the calling thread counts
};

// Touches everything that ONNX Runtime opens, reads or binds lazily, with a model of our own, and makes no
// thread that stays: what a process does before it gives up its rights.
Status WarmUpOnnxRuntime();

// One per process. With more than one thread it starts the others.
Result<std::unique_ptr<Engine>> MakeOnnxRuntimeEngine(const OnnxRuntimeOptions& options);

}  // namespace glasscase::inference
