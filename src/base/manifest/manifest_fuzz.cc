// The files of a version as a stranger names them: what is accepted stays in its folder on every file system,
// and the manifest names the same bytes in whatever order they came.
#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <glasscase/crypto/sha256.h>
#include <glasscase/manifest/manifest.h>

namespace {

using namespace glasscase;

std::vector<std::string> AcceptedPaths(std::string_view text) {
  std::vector<std::string> accepted;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\0'), text.size());
    const std::string path(text.substr(0, end));
    if (manifest::CheckPath(path)) accepted.push_back(path);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return accepted;
}

void CheckStaysInside(const std::string& path) {
  GC_CHECK(path.find_first_of(std::string_view("\n\0\\", 3)) ==
           path.npos);  // a line of the manifest is one file
  const auto inside = (std::filesystem::path("/folder") / path).lexically_normal();
  GC_CHECK(inside.string() == "/folder/" + path);
  GC_CHECK(!manifest::CollisionKey(path).empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::vector<std::string> paths = AcceptedPaths({reinterpret_cast<const char*>(data), size});
  std::vector<manifest::NamedDigest> files;
  for (const std::string& path : paths) {
    CheckStaysInside(path);
    files.push_back({.path = path, .sha256 = Sha256(AsBytes(path))});
  }
  (void)manifest::CheckPaths({paths.begin(), paths.end()});
  const Digest digest = manifest::DigestOf(files);
  std::reverse(files.begin(), files.end());
  GC_CHECK(manifest::DigestOf(files) == digest);
  if (files.empty()) return 0;
  const std::string longer = std::string(files.back().path) + "x";
  files.back().path = longer;
  GC_CHECK(manifest::DigestOf(files) != digest);
  return 0;
}
