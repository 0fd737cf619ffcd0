#include "infer_answer.h"

#include <charconv>

#include "json_elements.h"
#include "problem.h"

namespace glasscase::http {
namespace {

void AppendInteger(std::string& out, int64_t value) {
  char text[24];
  const auto [end, error] = std::to_chars(text, text + sizeof text, value);
  out.append(text, end);
}

void AppendTensorHead(std::string& json, const rpc::TensorView& tensor) {
  json += R"({"name":")";
  AppendJsonEscaped(json, tensor.name);
  json += R"(","datatype":")";
  json += DataTypeName(tensor.datatype);
  json += R"(","shape":[)";
  for (const int64_t dimension : tensor.shape()) {
    AppendInteger(json, dimension);
    json += ',';
  }
  if (tensor.rank > 0) json.pop_back();
  json += ']';
}

}  // namespace

bool AnswerWishes::WantsBinary(std::string_view output) const {
  for (const InferOutput& wanted : outputs) {
    if (wanted.name == output) return wanted.binary.value_or(binary_output);
  }
  return binary_output;
}

Status WriteInferBody(const rpc::AnswerView& answer, std::string_view version_label,
                      const AnswerWishes& wishes, InferBody& out) {
  std::string& json = out.bytes;
  json = R"({"model_name":")";
  AppendJsonEscaped(json, wishes.model_name);
  json += R"(","model_version":")";
  AppendJsonEscaped(json, version_label);
  json += '"';
  if (!wishes.id_json.empty()) {
    json += R"(,"id":)";
    json += wishes.id_json;
  }
  json += R"(,"outputs":[)";
  out.has_binary = false;
  for (const rpc::TensorView& tensor : answer.outputs) {
    AppendTensorHead(json, tensor);
    if (wishes.WantsBinary(tensor.name)) {
      out.has_binary = true;
      json += R"(,"parameters":{"binary_data_size":)";
      AppendInteger(json, static_cast<int64_t>(tensor.data.size()));
      json += "}},";
      continue;
    }
    json += R"(,"data":)";
    GC_TRY_VOID(AppendElements(json, tensor.datatype, tensor.data, tensor.name));
    json += "},";
  }
  if (!answer.outputs.empty()) json.pop_back();
  json += "]}";
  out.json_bytes = json.size();
  if (!out.has_binary) return Ok();
  for (const rpc::TensorView& tensor : answer.outputs) {
    if (wishes.WantsBinary(tensor.name)) json.append(AsText(tensor.data));
  }
  return Ok();
}

}  // namespace glasscase::http
