#include "model_name.h"

#include <glasscase/core/bytes.h>

#include "text.h"

namespace glasscase::commands {

Result<ModelName> ModelName::Parse(std::string_view text) {
  const size_t at = text.rfind('@');
  ModelName name{std::string(text.substr(0, at)), {}};
  if (at != std::string_view::npos) name.version = text.substr(at + 1);
  if (name.model.empty() || (at != std::string_view::npos && name.version.empty())) {
    return Fail(Error::InvalidArgument(
        "a model is written NAME, OWNER/NAME or UUID, with @VERSION if wanted: " + Printable(text)));
  }
  return name;
}

std::string ModelName::OwnPath() const { return "/glasscase/v1/models/" + PercentEncode(model); }

std::string ModelName::InferPath() const {
  const std::string path = "/v2/models/" + PercentEncode(model);
  return version.empty() ? path : path + "/versions/" + PercentEncode(version);
}

}  // namespace glasscase::commands
