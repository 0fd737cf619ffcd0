// Inputs and outputs of a model as text: one line per tensor, "FP32 [-1,4] name". In names a backslash is
// doubled and a line end written as backslash and n.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <glasscase/core/error.h>
#include <glasscase/tensor/tensor.h>

namespace glasscase::catalog {

std::string TensorsToText(const std::vector<TensorSpec>& tensors);
Result<std::vector<TensorSpec>> TensorsFromText(std::string_view text);  // DataLoss

// One line each; the lines hold no line feeds.
std::string LinesToText(const std::vector<std::string>& lines);
std::vector<std::string> LinesFromText(std::string_view text);

}  // namespace glasscase::catalog
