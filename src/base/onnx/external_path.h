// Which names of external data files are accepted.
#pragma once

#include <string_view>

#include <glasscase/core/error.h>

namespace glasscase::onnx {

// Accepts a relative path of plain components: no "..", no ".", no empty component, no absolute path, no
// backslash or drive letter, no control characters, and none of ONNX Runtime's own markers, which make it
// read its own memory instead of a file. The error starts with "external_data".
Status CheckExternalPath(std::string_view path);

}  // namespace glasscase::onnx
