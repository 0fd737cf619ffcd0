#include <glasscase/manifest/manifest.h>

#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>

#include <glasscase/core/error.h>
#include <glasscase/crypto/sha256.h>

namespace glasscase::manifest {
namespace {

constexpr size_t kPathBytesMax = 512;

bool IsControl(char c) { return static_cast<uint8_t>(c) < 32 || c == 127; }

}  // namespace

Status CheckPath(std::string_view path) {
  const auto refuse = [whole = path](std::string_view why) {
    return Fail(
        Error::InvalidArgument("path of a file " + std::string(why) + ": \"" + Printable(whole) + "\""));
  };
  if (path.empty() || path.size() > kPathBytesMax) return refuse("must have 1 to 512 bytes");
  if (!IsUtf8(path)) return refuse("must be UTF-8");
  if (path[0] == '/') return refuse("must be relative");
  if (path.find('\\') != path.npos) return refuse("must not contain a backslash");
  if (std::any_of(path.begin(), path.end(), IsControl)) return refuse("must not contain control characters");
  while (true) {
    const size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    if (part.empty() || part == "." || part == "..")
      return refuse("must not contain \"\", \".\" or \"..\" as a part");
    if (slash == path.npos) return Ok();
    path.remove_prefix(slash + 1);
  }
}

Status CheckPaths(const std::vector<std::string_view>& paths) {
  const auto refuse = [](std::string_view path, const std::string& why) {
    return Fail(Error::InvalidArgument("file \"" + Printable(path) + "\" " + why));
  };
  std::map<std::string, std::string_view> seen;
  for (const std::string_view path : paths) {
    GC_TRY_VOID(CheckPath(path));
    const auto [other, is_new] = seen.emplace(CollisionKey(path), path);
    if (!is_new)
      return refuse(path, "and \"" + Printable(other->second) +
                              "\" would be one file on systems that do not tell upper from lower case, or "
                              "composed from decomposed characters");
  }
  for (const auto& [key, path] : seen) {
    const std::string folder = key + "/";
    const auto below = seen.lower_bound(folder);
    if (below != seen.end() && below->first.starts_with(folder))
      return refuse(path, "cannot be a folder too");
  }
  return Ok();
}

std::string CollisionKey(std::string_view path) {
  utf8proc_uint8_t* mapped = nullptr;
  const auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD);
  const utf8proc_ssize_t bytes = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(path.data()),
                                              static_cast<utf8proc_ssize_t>(path.size()), &mapped, options);
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(mapped, std::free);
  GC_CHECK(bytes >= 0);  // it fails for what is not UTF-8, and without memory
  return {reinterpret_cast<const char*>(mapped), static_cast<size_t>(bytes)};
}

Digest DigestOf(std::vector<NamedDigest> files) {
  std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  Sha256Stream stream;
  for (const NamedDigest& file : files) {
    stream.Update(AsBytes(ToHex(file.sha256)));
    stream.Update(AsBytes("  "));
    stream.Update(AsBytes(file.path));
    stream.Update(AsBytes("\n"));
  }
  return stream.Finish();
}

}  // namespace glasscase::manifest
