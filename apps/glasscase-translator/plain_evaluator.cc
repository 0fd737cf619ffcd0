#include "plain_evaluator.h"

#include <glasscase/onnx/plain_graph.h>

#include "labels.h"

namespace glasscase::translator {
namespace {

using onnx::PlainTensor;
using translation::Answers;

class PlainEvaluator final : public translation::Evaluator {
 public:
  PlainEvaluator(const translation::Model& model, onnx::PlainGraph graph)
      : model_(model), graph_(std::move(graph)) {}

  Status Run(std::span<const float> inputs, Answers& answers) override {
    const auto rows = static_cast<int64_t>(inputs.size() / model_.features);
    GC_TRY(const std::vector<PlainTensor> outputs,
           graph_.Run(
               {.shape = {rows, model_.features}, .data = std::vector<float>(inputs.begin(), inputs.end())}));
    const auto* const numbers =
        outputs.empty() ? nullptr : std::get_if<std::vector<float>>(&outputs.back().data);
    if (numbers == nullptr) return Fail(Error::Internal("its last output has no numbers"));
    SetOutputs(model_, *numbers, answers);
    if (model_.head.task == translation::Task::kClassifier) ReadLabels(outputs.front(), answers);
    return Ok();
  }
  std::string name() const override { return "glasscase, operator by operator"; }

 private:
  void ReadLabels(const PlainTensor& labels, Answers& answers) const {
    if (const auto* const numbers = std::get_if<std::vector<int64_t>>(&labels.data))
      for (const int64_t label : *numbers) AddLabel(model_, label, answers);
    if (const auto* const words = std::get_if<std::vector<std::string>>(&labels.data))
      for (const std::string& label : *words) AddLabel(model_, label, answers);
  }

  const translation::Model& model_;
  const onnx::PlainGraph graph_;
};

}  // namespace

Result<std::unique_ptr<translation::Evaluator>> ReadEvaluator(const translation::Model& model,
                                                              ByteSpan file) {
  GC_TRY(onnx::PlainGraph graph, onnx::PlainGraph::Read(file));
  return std::make_unique<PlainEvaluator>(model, std::move(graph));
}

}  // namespace glasscase::translator
