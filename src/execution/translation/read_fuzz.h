// What must hold of every model that a reader lets through.
#pragma once

#include <vector>

#include <glasscase/onnx/inspect.h>
#include <glasscase/onnx/plain_graph.h>
#include <glasscase/translation/evaluator.h>
#include <glasscase/translation/onnx_file.h>
#include <glasscase/translation/read.h>

namespace glasscase::translation {

inline void TryModel(const Result<Model>& model) {
  constexpr uint32_t kFeaturesTried = 1'000;
  if (!model || model->features > kFeaturesTried) return;
  Answers answers;
  GC_CHECK(MakeSourceEvaluator(*model)->Run(std::vector<float>(model->features, 0.5F), answers));
  GC_CHECK(answers.outputs.size() == model->outputs());
  const auto file = WriteOnnx(*model);
  GC_CHECK(file);
  const auto description = onnx::Inspect(AsBytes(*file), {}, {});
  GC_CHECK(description);
  GC_CHECK(description->rows_independent);
  const auto plain = onnx::PlainGraph::Read(AsBytes(*file));
  GC_CHECK(plain);
  GC_CHECK(plain->Run({.shape = {1, model->features}, .data = std::vector<float>(model->features, 0.5F)}));
}

}  // namespace glasscase::translation
