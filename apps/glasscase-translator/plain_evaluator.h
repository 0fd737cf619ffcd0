// A translated model evaluated operator by operator: the second opinion of the evidence.
#pragma once

#include <memory>

#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>
#include <glasscase/translation/evaluator.h>
#include <glasscase/translation/model.h>

namespace glasscase::translator {

// `file` is what WriteOnnx made of `model`, which outlives the evaluator. Of `model` it takes the labels'
// order, and no number.
Result<std::unique_ptr<translation::Evaluator>> ReadEvaluator(const translation::Model& model, ByteSpan file);

}  // namespace glasscase::translator
