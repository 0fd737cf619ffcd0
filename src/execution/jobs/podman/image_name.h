// Names of images: "registry.example:5000/group/name@sha256:…".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <glasscase/core/error.h>

namespace glasscase::jobs {

struct ImageName {
  std::string text;      // all of it
  std::string registry;  // "registry.example:5000"

  // InvalidArgument when it names no registry or no digest.
  static Result<ImageName> Parse(std::string_view text);

  // On this machine: TLS may be missing.
  bool IsOnLoopback() const;
};

// FailedPrecondition says which registries there are.
Status CheckRegistry(const ImageName& image, const std::vector<std::string>& registries);

}  // namespace glasscase::jobs
