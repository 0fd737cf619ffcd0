// Writes a model as ONNX: one input `x` FP32 [n, features]; outputs `label` [n] (INT64 or BYTES) then
// `probabilities` FP32 [n, classes] for classifiers, `value` FP32 [n, targets] for regressors.
#pragma once

#include <string>

#include <glasscase/core/error.h>
#include <glasscase/translation/model.h>

namespace glasscase::translation {

inline constexpr char kInputName[] = "x";
inline constexpr char kLabelName[] = "label";
inline constexpr char kProbabilitiesName[] = "probabilities";
inline constexpr char kValueName[] = "value";

// `model` has passed Check. Trees become one TreeEnsembleRegressor of ai.onnx.ml, which adds up in the order
// of the trees and in the source's precision (with doubles, the input is widened before it); a base value is
// a first tree of one leaf, so that it is added first, as in the source. What follows the sum is written with
// plain operators: the transforms built into that operator lose digits far from zero. The same model gives
// the same bytes. ResourceExhausted when the file would pass 2 GiB. Thread-safe.
Result<std::string> WriteOnnx(const Model& model);

}  // namespace glasscase::translation
