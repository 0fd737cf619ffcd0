// MODEL[@V]: a name, owner/name or UUID, with a version if wanted.
#pragma once

#include <string>
#include <string_view>

#include <glasscase/core/error.h>

namespace glasscase::commands {

struct ModelName {
  std::string model;
  std::string version;  // empty: the default version

  // InvalidArgument when a part is empty.
  static Result<ModelName> Parse(std::string_view text);

  std::string OwnPath() const;    // "/glasscase/v1/models/ada%2Fdigits"
  std::string InferPath() const;  // "/v2/models/ada%2Fdigits[/versions/1]"
};

}  // namespace glasscase::commands
