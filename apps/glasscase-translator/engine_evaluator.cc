#include "engine_evaluator.h"

#include <array>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "labels.h"

namespace glasscase::translator {
namespace {

using inference::LoadedModel;
using inference::OutputView;
using inference::Runner;
using translation::Answers;

template <typename T>
std::span<const T> Elements(const OutputView& view) {
  return {reinterpret_cast<const T*>(view.data.data()), view.data.size() / sizeof(T)};
}

class EngineEvaluator final : public translation::Evaluator {
 public:
  EngineEvaluator(const translation::Model& model, std::unique_ptr<LoadedModel> loaded,
                  std::unique_ptr<Runner> runner, std::string name)
      : model_(model), loaded_(std::move(loaded)), runner_(std::move(runner)), name_(std::move(name)) {}

  Status Run(std::span<const float> inputs, Answers& answers) override {
    const std::array<int64_t, 2> shape = {static_cast<int64_t>(inputs.size() / model_.features),
                                          static_cast<int64_t>(model_.features)};
    const inference::InputView input{
        .datatype = DataType::kFp32,
        .shape = shape,
        .data = {reinterpret_cast<const uint8_t*>(inputs.data()), inputs.size_bytes()}};
    const bool labelled = model_.head.task == translation::Task::kClassifier;
    const std::array<uint32_t, 2> wanted = {0, 1};
    GC_TRY_VOID(runner_->Run({&input, 1}, std::span(wanted).first(labelled ? 2 : 1), outputs_));
    SetOutputs(model_, Elements<float>(outputs_.back()), answers);
    return labelled ? ReadLabels(outputs_.front(), answers) : Ok();
  }
  std::string name() const override { return name_; }

 private:
  Status ReadLabels(const OutputView& view, Answers& answers) {
    if (view.datatype == DataType::kInt64) {
      for (const int64_t label : Elements<int64_t>(view)) AddLabel(model_, label, answers);
      return Ok();
    }
    std::string_view rest = AsText(view.data);
    while (rest.size() >= sizeof(uint32_t)) {
      uint32_t size = 0;
      std::memcpy(&size, rest.data(), sizeof(size));
      rest.remove_prefix(sizeof(size));
      if (size > rest.size()) return Fail(Error::Internal("the engine gave half a label"));
      AddLabel(model_, rest.substr(0, size), answers);
      rest.remove_prefix(size);
    }
    return Ok();
  }

  const translation::Model& model_;
  std::unique_ptr<LoadedModel> loaded_;
  std::unique_ptr<Runner> runner_;
  const std::string name_;
  std::vector<OutputView> outputs_;
};

}  // namespace

Result<std::unique_ptr<translation::Evaluator>> LoadEvaluator(const translation::Model& model, ByteSpan file,
                                                              inference::Engine& engine) {
  GC_TRY(std::unique_ptr<LoadedModel> loaded, engine.Load(file, {}));
  GC_TRY(std::unique_ptr<Runner> runner, loaded->NewRunner());
  return std::make_unique<EngineEvaluator>(model, std::move(loaded), std::move(runner), engine.version());
}

}  // namespace glasscase::translator
