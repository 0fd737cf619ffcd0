// What adapters keep as text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <glasscase/catalog/rows.h>
#include <glasscase/core/error.h>
#include <glasscase/tensor/tensor.h>

namespace glasscase::catalog {

// Inputs and outputs of a model: one line per tensor, "FP32 [-1,4] name". In names a backslash is doubled and
// a line end written as backslash and n.
std::string TensorsToText(const std::vector<TensorSpec>& tensors);
Result<std::vector<TensorSpec>> TensorsFromText(std::string_view text);  // DataLoss

// One line each; the lines hold no line feeds.
std::string LinesToText(const std::vector<std::string>& lines);
std::vector<std::string> LinesFromText(std::string_view text);

// One line each, "key=value".
std::string FieldsToText(const std::vector<Field>& fields);
Result<std::vector<Field>> FieldsFromText(std::string_view text);  // DataLoss

}  // namespace glasscase::catalog
