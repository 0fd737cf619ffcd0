#include "external_path.h"

#include <algorithm>

#include <glasscase/core/bytes.h>

#include "schema.h"

namespace glasscase::onnx {
namespace {

constexpr size_t kPathBytesMax = 1024;

bool IsControl(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

std::string_view Problem(std::string_view path) {
  if (path.empty()) return "is empty";
  if (path.size() > kPathBytesMax) return "is too long";
  if (path.front() == '/') return "is absolute; use a path relative to the model";
  if (path.find('\\') != path.npos) return "contains a backslash; use '/'";
  if (path.size() > 1 && path[1] == ':')
    return "starts with a drive letter; use a path relative to the model";
  if (std::any_of(path.begin(), path.end(), IsControl)) return "contains a control character";
  if (!IsUtf8(path)) return "is not UTF-8";
  // "*/_ORT_MEM_ADDR_/*" makes ONNX Runtime take the offset for an address in its memory.
  if (path.find('*') != path.npos || path.find("_ORT_") != path.npos)
    return "is a marker reserved by ONNX Runtime";
  while (true) {
    const size_t slash = path.find('/');
    const std::string_view component = path.substr(0, slash);
    if (component == "..") return "leaves the model's folder by '..'";
    if (component.empty() || component == ".") return "has an empty component or '.'";
    if (slash == path.npos) return {};
    path.remove_prefix(slash + 1);
  }
}

}  // namespace

Status CheckExternalPath(std::string_view path) {
  const std::string_view problem = Problem(path);
  if (problem.empty()) return Ok();
  return Refuse("external_data: location " + Quoted(path) + " " + std::string(problem));
}

}  // namespace glasscase::onnx
