// A translated model in an inference engine, as the evidence asks for it.
#pragma once

#include <memory>

#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>
#include <glasscase/inference/engine.h>
#include <glasscase/translation/evaluator.h>
#include <glasscase/translation/model.h>

namespace glasscase::translator {

// `file` is what WriteOnnx made of `model`. `model` and `engine` outlive the evaluator.
Result<std::unique_ptr<translation::Evaluator>> LoadEvaluator(const translation::Model& model, ByteSpan file,
                                                              inference::Engine& engine);

}  // namespace glasscase::translator
