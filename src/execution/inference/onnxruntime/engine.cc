#include <glasscase/inference_onnxruntime/engine.h>

#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <string>
#include <utility>
#include <vector>

#include <onnxruntime_cxx_api.h>
#include <onnxruntime_session_options_config_keys.h>

#include "ort_status.h"
#include "ort_values.h"
#include "warm_up_model.h"

namespace glasscase::inference {
namespace {

// Below it a model runs on the calling thread alone. Measured on an MLP 64-96-48-10: the pool makes a run of
// 64 rows slower (28 instead of 20 us) even with a second core idle, since waking a thread costs more than it
// computes.
constexpr size_t kPoolBytesMin = size_t{1} << 20;

void DropLogLine(void*, OrtLoggingLevel, const char*, const char*, const char*, const char*) {}

// Runs `body`, which may throw what ONNX Runtime's C++ layer throws; nothing passes.
template <typename Body>
auto Guarded(During during, Body body) -> decltype(body()) {
  try {
    return body();
  } catch (const Ort::Exception& error) {
    const OrtApi& api = Ort::GetApi();
    return Fail(ToStatus(api, api.CreateStatus(error.GetOrtErrorCode(), error.what()), during).error());
  } catch (const std::bad_alloc&) {
    return Fail(Error::ResourceExhausted("the model's host ran out of memory"));
  } catch (const std::exception& error) {
    return Fail(Error::Internal("ONNX Runtime: " + CleanMessage(error.what())));
  }
}

struct Sessions {
  std::shared_ptr<Ort::Env> env;
  Ort::MemoryInfo memory = Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeCPU);
};

// The names as one session needs them, made once.
struct Names {
  std::vector<const char*> inputs;
  std::vector<const char*> outputs;
};

class OnnxRunner final : public Runner {
 public:
  OnnxRunner(Ort::Session& session, const Ort::MemoryInfo& memory, const std::vector<TensorSpec>& inputs,
             const Names& names)
      : api_(Ort::GetApi()), session_(session), memory_(memory), inputs_(inputs), names_(names) {}
  ~OnnxRunner() override { ReleaseOutputs(); }

  Status Run(std::span<const InputView> inputs, std::span<const uint32_t> wanted,
             std::vector<OutputView>& outputs) override {
    ReleaseOutputs();
    outputs.clear();
    GC_TRY_VOID(CheckInputs(inputs));
    values_.clear();
    feeds_.clear();
    for (const InputView& input : inputs) {
      GC_TRY(OrtValuePtr value, MakeValue(api_, memory_, input));
      feeds_.push_back(value.get());
      values_.push_back(std::move(value));
    }
    wanted_names_.clear();
    for (const uint32_t index : wanted) wanted_names_.push_back(names_.outputs.at(index));
    fetched_.assign(wanted.size(), nullptr);
    options_.UnsetTerminate();
    GC_TRY_VOID(ToStatus(api_,
                         api_.Run(session_, options_, names_.inputs.data(), feeds_.data(), feeds_.size(),
                                  wanted_names_.data(), wanted_names_.size(), fetched_.data()),
                         During::kRun));
    if (strings_.size() < fetched_.size()) strings_.resize(fetched_.size());
    for (size_t i = 0; i < fetched_.size(); ++i) {
      GC_TRY(const OutputView view, ViewValue(api_, fetched_[i], strings_[i]));
      outputs.push_back(view);
    }
    return Ok();
  }

  void Terminate() override { options_.SetTerminate(); }

 private:
  Status CheckInputs(std::span<const InputView> inputs) const {
    if (inputs.size() != inputs_.size()) return Fail(Error::InvalidArgument("the model takes other inputs"));
    for (size_t i = 0; i < inputs.size(); ++i) {
      const TensorSpec& spec = inputs_[i];
      if (inputs[i].datatype != spec.datatype || !ShapeFits(spec.shape, inputs[i].shape)) {
        return Fail(Error::InvalidArgument(
            "input '" + Printable(spec.name) + "': the model takes " +
            std::string(DataTypeName(spec.datatype)) + " " + ShapeText(spec.shape) + ", was sent " +
            std::string(DataTypeName(inputs[i].datatype)) + " " + ShapeText(inputs[i].shape)));
      }
    }
    return Ok();
  }

  void ReleaseOutputs() {
    for (OrtValue* value : fetched_) {
      if (value != nullptr) api_.ReleaseValue(value);
    }
    fetched_.clear();
  }

  const OrtApi& api_;
  Ort::Session& session_;
  const Ort::MemoryInfo& memory_;
  const std::vector<TensorSpec>& inputs_;
  const Names& names_;
  Ort::RunOptions options_;
  std::vector<OrtValuePtr> values_;
  std::vector<const OrtValue*> feeds_;
  std::vector<const char*> wanted_names_;
  std::vector<OrtValue*> fetched_;
  std::vector<Bytes> strings_;
};

class OnnxModel final : public LoadedModel {
 public:
  // Throws.
  OnnxModel(std::shared_ptr<Sessions> sessions, Ort::Session session)
      : sessions_(std::move(sessions)), session_(std::move(session)) {}

  Status Describe() {
    Ort::AllocatorWithDefaultOptions allocator;
    for (size_t i = 0; i < session_.GetInputCount(); ++i) {
      GC_TRY(TensorSpec spec, DescribeTensor(session_.GetInputNameAllocated(i, allocator).get(),
                                             session_.GetInputTypeInfo(i)));
      inputs_.push_back(std::move(spec));
    }
    for (size_t i = 0; i < session_.GetOutputCount(); ++i) {
      GC_TRY(TensorSpec spec, DescribeTensor(session_.GetOutputNameAllocated(i, allocator).get(),
                                             session_.GetOutputTypeInfo(i)));
      outputs_.push_back(std::move(spec));
    }
    for (const TensorSpec& spec : inputs_) names_.inputs.push_back(spec.name.c_str());
    for (const TensorSpec& spec : outputs_) names_.outputs.push_back(spec.name.c_str());
    return Ok();
  }
  void SetMemoryBytes(uint64_t bytes) { memory_bytes_ = bytes; }

  const std::vector<TensorSpec>& inputs() const override { return inputs_; }
  const std::vector<TensorSpec>& outputs() const override { return outputs_; }
  uint64_t memory_bytes() const override { return memory_bytes_; }
  Result<std::unique_ptr<Runner>> NewRunner() override {
    return Guarded(During::kRun, [this]() -> Result<std::unique_ptr<Runner>> {
      return std::make_unique<OnnxRunner>(session_, sessions_->memory, inputs_, names_);
    });
  }

 private:
  static Result<TensorSpec> DescribeTensor(std::string name, const Ort::TypeInfo& info) {
    TensorSpec spec;
    spec.name = std::move(name);
    if (spec.name.size() > kTensorNameBytesMax) {
      return Fail(Error::InvalidArgument("the name of an input or output is longer than " +
                                         std::to_string(kTensorNameBytesMax) + " bytes"));
    }
    const std::string where = "'" + Printable(spec.name) + "' ";
    if (info.GetONNXType() != ONNX_TYPE_TENSOR) {
      return Fail(
          Error::InvalidArgument(where + "is a sequence, map or optional; only tensors can be called"));
    }
    const auto tensor = info.GetTensorTypeAndShapeInfo();
    const std::optional<DataType> type = FromOrtType(tensor.GetElementType());
    if (!type) return Fail(Error::InvalidArgument(where + "has an element type that cannot be called"));
    spec.datatype = *type;
    for (const int64_t dimension : tensor.GetShape()) spec.shape.push_back(std::max<int64_t>(dimension, -1));
    if (spec.shape.size() > kRankMax) return Fail(Error::InvalidArgument(where + "has too many dimensions"));
    return spec;
  }

  std::shared_ptr<Sessions> sessions_;
  Ort::Session session_;
  std::vector<TensorSpec> inputs_;
  std::vector<TensorSpec> outputs_;
  Names names_;
  uint64_t memory_bytes_ = 0;
};

// What ONNX Runtime takes from the environment, before it looks. Not thread-safe: at the start of the
// process.
void SetEnvironment() {
  // Builds for Linux have a telemetry client since 1.31 or earlier: it starts a thread with the first
  // environment, before DisableTelemetryEvents can be called, and sends to Microsoft.
  ::setenv("ORT_DISABLE_TELEMETRY", "1", 1);
  // A model could otherwise bring session options of its own along.
  ::unsetenv("ORT_LOAD_CONFIG_FROM_MODEL");
}

uint64_t HeapBytes() {
  const struct mallinfo2 info = ::mallinfo2();
  return static_cast<uint64_t>(info.uordblks) + static_cast<uint64_t>(info.hblkhd);
}

// Throws.
Ort::SessionOptions MakeSessionOptions(ByteSpan graph, std::span<const ExternalFile> files) {
  Ort::SessionOptions options;
  options.SetGraphOptimizationLevel(ORT_ENABLE_ALL);
  options.SetExecutionMode(ORT_SEQUENTIAL);
  options.SetLogSeverityLevel(ORT_LOGGING_LEVEL_FATAL);
  // A model file is ONNX or nothing: ONNX Runtime's own format is another parser.
  options.AddConfigEntry(kOrtSessionOptionsConfigLoadModelFormat, "ONNX");
  // Weights outside the arena, so that an unloaded model's memory goes back.
  options.AddConfigEntry(kOrtSessionOptionsUseDeviceAllocatorForInitializers, "1");
  size_t bytes = graph.size();
  std::vector<std::string> names;
  std::vector<char*> buffers;
  std::vector<size_t> lengths;
  for (const ExternalFile& file : files) {
    names.push_back(file.path);
    buffers.push_back(reinterpret_cast<char*>(const_cast<uint8_t*>(file.bytes.data())));  // only read
    lengths.push_back(file.bytes.size());
    bytes += file.bytes.size();
  }
  if (!files.empty()) options.AddExternalInitializersFromFilesInMemory(names, buffers, lengths);
  if (bytes < kPoolBytesMin) {
    options.SetIntraOpNumThreads(1);
    options.SetInterOpNumThreads(1);
  } else {
    options.DisablePerSessionThreads();
  }
  return options;
}

class OnnxEngine final : public Engine {
 public:
  explicit OnnxEngine(std::shared_ptr<Sessions> sessions) : sessions_(std::move(sessions)) {}

  Result<std::unique_ptr<LoadedModel>> Load(ByteSpan graph, std::span<const ExternalFile> files) override {
    return Guarded(During::kLoad, [&]() -> Result<std::unique_ptr<LoadedModel>> {
      const uint64_t before = HeapBytes();
      const Ort::SessionOptions options = MakeSessionOptions(graph, files);
      auto model = std::make_unique<OnnxModel>(
          sessions_, Ort::Session(*sessions_->env, graph.data(), graph.size(), options));
      GC_TRY_VOID(model->Describe());
      uint64_t bytes = graph.size();
      for (const ExternalFile& file : files) bytes += file.bytes.size();
      const uint64_t after = HeapBytes();
      model->SetMemoryBytes(std::max(bytes, after > before ? after - before : 0));
      return model;
    });
  }

  std::string version() const override { return "ONNX Runtime " + Ort::GetVersionString(); }

 private:
  std::shared_ptr<Sessions> sessions_;
};

}  // namespace

Result<std::unique_ptr<Engine>> MakeOnnxRuntimeEngine(const OnnxRuntimeOptions& options) {
  SetEnvironment();
  return Guarded(During::kRun, [&]() -> Result<std::unique_ptr<Engine>> {
    Ort::ThreadingOptions threading;
    threading.SetGlobalIntraOpNumThreads(static_cast<int>(std::max(options.threads, 1U)));
    threading.SetGlobalInterOpNumThreads(1);
    threading.SetGlobalSpinControl(0);
    auto sessions = std::make_shared<Sessions>();
    sessions->env =
        std::make_shared<Ort::Env>(threading, DropLogLine, nullptr, ORT_LOGGING_LEVEL_FATAL, "glasscase");
    sessions->env->DisableTelemetryEvents();
    return std::make_unique<OnnxEngine>(std::move(sessions));
  });
}

Status WarmUpOnnxRuntime() {
  GC_TRY(const auto engine, MakeOnnxRuntimeEngine({.threads = 1}));
  GC_TRY(const auto model, engine->Load(kWarmUpModel, {}));
  GC_TRY(const auto runner, model->NewRunner());
  alignas(8) const float values[4] = {1, 2, 3, 4};
  const int64_t shape[2] = {1, 4};
  const InputView input{.datatype = DataType::kFp32,
                        .shape = shape,
                        .data = {reinterpret_cast<const uint8_t*>(values), sizeof values}};
  const uint32_t wanted[1] = {0};
  std::vector<OutputView> outputs;
  return runner->Run({&input, 1}, wanted, outputs);
}

}  // namespace glasscase::inference
