// Names of images: "registry.example:5000/group/name@sha256:…". For executors.
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

// Whether these are a registry's own words that asking again does not change: no such image, not for you.
bool IsRefusalOfRegistry(std::string_view words);

}  // namespace glasscase::jobs
