// The files of a version: their paths, and the digest of all (api/formats/manifest.md). Paths come from
// strangers: errors are InvalidArgument and say the rule. Any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>

namespace glasscase::manifest {

// Relative, clean UTF-8 of 1 to 512 bytes, no "..", no backslash, no control characters.
Status CheckPath(std::string_view path);
// Each of them, and together: no two that some file system takes for one, and none that is a folder of
// another.
Status CheckPaths(const std::vector<std::string_view>& paths);
// Equal for paths that some file system takes for one: case is folded, and characters that can be written in
// several ways are composed (Unicode Standard Annex 15). `path` is UTF-8.
std::string CollisionKey(std::string_view path);

struct NamedDigest {
  std::string_view path;
  Digest sha256{};
};
// SHA-256 over the lines "<sha256 in hexadecimal>  <path>\n", by path.
Digest DigestOf(std::vector<NamedDigest> files);

// Of anything that has a path and a sha256.
template <typename Files>
Digest DigestOf(const Files& files) {
  std::vector<NamedDigest> named;
  named.reserve(files.size());
  for (const auto& file : files) named.push_back({.path = file.path, .sha256 = file.sha256});
  return DigestOf(std::move(named));
}

}  // namespace glasscase::manifest
