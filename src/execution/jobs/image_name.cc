#include <glasscase/jobs/image_name.h>

#include <algorithm>
#include <array>

#include <glasscase/core/bytes.h>

namespace glasscase::jobs {
namespace {

constexpr std::string_view kDigest = "@sha256:";

bool IsPlain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-_./:@").find(c) != std::string_view::npos;
  });
}

}  // namespace

Result<ImageName> ImageName::Parse(std::string_view text) {
  const auto wrong = [&](const std::string& why) {
    return Fail(Error::InvalidArgument("the image " + Printable(text) + " " + why));
  };
  const size_t at = text.find(kDigest);
  if (at == std::string_view::npos || !DigestFromHex(text.substr(at + kDigest.size())))
    return wrong("has no digest: REGISTRY/NAME@sha256:… is needed, a tag may mean another image tomorrow");
  const size_t slash = text.find('/');
  const std::string_view registry = text.substr(0, std::min(slash, at));
  // As every client of registries tells a host from the first part of a name.
  const bool is_host = registry == "localhost" || registry.find_first_of(".:") != std::string_view::npos;
  if (slash >= at || !is_host || text.front() == '-' || !IsPlain(text))
    return wrong(
        "names no registry: REGISTRY/NAME@sha256:… is needed, as in registry.example/trainer@sha256:…");
  return ImageName{.text = std::string(text), .registry = std::string(registry)};
}

bool ImageName::IsOnLoopback() const {
  const std::string_view host = std::string_view(registry).substr(0, registry.rfind(':'));
  const bool is_address = host.find_first_not_of("0123456789.") == std::string_view::npos;
  return host == "localhost" || (is_address && host.starts_with("127."));
}

Status CheckRegistry(const ImageName& image, const std::vector<std::string>& registries) {
  if (std::ranges::find(registries, image.registry) != registries.end()) return Ok();
  std::string known;
  for (const std::string& one : registries) known += (known.empty() ? "" : ", ") + one;
  return Fail(Error::FailedPrecondition("this worker takes no images from " + image.registry +
                                        ", only from: " + (known.empty() ? "nowhere" : known)));
}

bool IsRefusalOfRegistry(std::string_view words) {
  return std::ranges::any_of(
      std::array{"unauthorized", "authentication required", "denied", "manifest unknown", "name unknown",
                 "not found", "does not match", "no image found", "401 Unauthorized", "403 Forbidden"},
      [&](const char* one) { return words.find(one) != std::string_view::npos; });
}

}  // namespace glasscase::jobs
