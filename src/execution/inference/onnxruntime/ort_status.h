// From ONNX Runtime's errors to ours.
#pragma once

#include <string>
#include <string_view>

#include <onnxruntime_c_api.h>

#include <glasscase/core/error.h>

namespace glasscase::inference {

// One line without paths of ONNX Runtime's sources, beginning with the node where it can be told.
std::string CleanMessage(std::string_view message);

enum class During { kLoad, kRun };

// Takes the status over; null is Ok. Foreign models are refused with InvalidArgument while loading. While
// running, a node that cannot take the values makes InvalidArgument too: the model was checked, so the input
// is what is new.
Status ToStatus(const OrtApi& api, OrtStatus* status, During during);

}  // namespace glasscase::inference
