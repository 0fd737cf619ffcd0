// What runs models. Adapters implement it: onnxruntime/ here, remote engines later. No foreign exception and
// no foreign type passes this header.
//
// Tensors are borrowed views: row-major little-endian elements as base/tensor describes them.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>
#include <glasscase/tensor/tensor.h>

namespace glasscase::inference {

// The caller's bytes. They passed CheckTensorData, and lie at a multiple of 8.
struct InputView {
  DataType datatype = DataType::kFp32;
  std::span<const int64_t> shape;
  ByteSpan data;
};

// The engine's bytes: valid until the next Run of the same Runner.
struct OutputView {
  DataType datatype = DataType::kFp32;
  uint8_t rank = 0;
  std::array<int64_t, kRankMax> dimensions{};
  ByteSpan data;

  std::span<const int64_t> shape() const { return {dimensions.data(), rank}; }
};

// One run at a time; several runners of a model run side by side.
class Runner {
 public:
  virtual ~Runner() = default;

  // `inputs[i]` is for LoadedModel::inputs()[i]; `wanted` are indices into outputs(), in the order in which
  // `outputs` gets them (its capacity is reused).
  // InvalidArgument names the input that does not fit, or the node that could not take the values;
  // DeadlineExceeded after Terminate; ResourceExhausted when memory ran out; Internal otherwise.
  virtual Status Run(std::span<const InputView> inputs, std::span<const uint32_t> wanted,
                     std::vector<OutputView>& outputs) = 0;

  // Makes the run under way end as soon as the engine notices. From any thread, but only while a Run is under
  // way: the caller's lock says so. Without effect on later runs.
  virtual void Terminate() = 0;
};

// Thread-safe. Outlives its runners.
class LoadedModel {
 public:
  virtual ~LoadedModel() = default;
  virtual const std::vector<TensorSpec>& inputs() const = 0;
  virtual const std::vector<TensorSpec>& outputs() const = 0;
  virtual uint64_t memory_bytes() const = 0;  // what it holds while idle, as far as it can be told
  virtual Result<std::unique_ptr<Runner>> NewRunner() = 0;
};

// A file that the graph refers to by `path`.
struct ExternalFile {
  std::string path;
  ByteSpan bytes;
};

// Thread-safe. Outlives its models.
class Engine {
 public:
  virtual ~Engine() = default;
  // Reads the graph and its external data from memory only; the bytes are not needed afterwards.
  // InvalidArgument when the engine refuses the model: one line that names the node; ResourceExhausted when
  // memory ran out.
  virtual Result<std::unique_ptr<LoadedModel>> Load(ByteSpan graph, std::span<const ExternalFile> files) = 0;
  virtual std::string version() const = 0;  // "ONNX Runtime 1.31.1"
};

}  // namespace glasscase::inference
