// The answer to an infer request, as JSON or as JSON with binary data after it.
#pragma once

#include <string>
#include <string_view>

#include <glasscase/core/error.h>
#include <glasscase/rpc/call_message.h>

#include "infer_request.h"

namespace glasscase::http {

struct InferBody {
  std::string bytes;
  size_t json_bytes = 0;  // of the JSON part
  bool has_binary = false;
};

// What the request wanted of its answer; kept while the host works.
struct AnswerWishes {
  std::string model_name;  // as the caller spelled it
  std::string id_json;
  std::vector<InferOutput> outputs;
  bool binary_output = false;

  bool WantsBinary(std::string_view output) const;
};

// Fills `out` (its capacity is reused). OutOfRange when a value has no JSON form.
Status WriteInferBody(const rpc::AnswerView& answer, std::string_view version_label,
                      const AnswerWishes& wishes, InferBody& out);

}  // namespace glasscase::http
