#include "registered_files.h"

#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include <glasscase/core/bytes.h>
#include <glasscase/crypto/sha256.h>
#include <glasscase/manifest/manifest.h>

#include "text.h"

namespace glasscase::commands {
namespace {

namespace fs = std::filesystem;

Result<Digest> DigestOfFile(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Fail(Error::NotFound("cannot read " + Visible(path.string())));
  Sha256Stream digest;
  std::vector<char> chunk(1 << 20);
  while (file) {
    file.read(chunk.data(), static_cast<std::streamsize>(chunk.size()));
    digest.Update(AsBytes({chunk.data(), static_cast<size_t>(file.gcount())}));
  }
  if (file.bad()) return Fail(Error::Internal("cannot read " + Visible(path.string())));
  return digest.Finish();
}

// Paths below the folder.
Result<std::vector<std::string>> FilesBelow(const fs::path& folder) {
  std::vector<std::string> paths;
  std::error_code error;
  for (auto entry = fs::recursive_directory_iterator(folder, error);
       !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    const std::string path = entry->path().lexically_relative(folder).generic_string();
    if (entry->path().filename().string().starts_with('.')) {
      if (entry->is_directory(error)) entry.disable_recursion_pending();
      continue;
    }
    const fs::file_status status = entry->symlink_status(error);
    if (fs::is_directory(status)) continue;
    if (!fs::is_regular_file(status))
      return Fail(
          Error::FailedPrecondition(Visible(path) + " is no plain file: such a folder is not registered"));
    paths.push_back(path);
  }
  if (error) return Fail(Error::FromErrno(error.value(), "cannot read " + Visible(folder.string())));
  if (paths.empty())
    return Fail(Error::FailedPrecondition("there are no files in " + Visible(folder.string())));
  return paths;
}

}  // namespace

Result<Digest> DigestOfRegistered(const fs::path& file_or_folder) {
  std::error_code error;
  if (!fs::is_directory(file_or_folder, error)) return DigestOfFile(file_or_folder);
  GC_TRY(const std::vector<std::string> paths, FilesBelow(file_or_folder));
  if (paths.size() == 1) return DigestOfFile(file_or_folder / paths.front());
  std::vector<manifest::NamedDigest> files;
  for (const std::string& path : paths) {
    GC_TRY(const Digest digest, DigestOfFile(file_or_folder / path));
    files.push_back({.path = path, .sha256 = digest});
  }
  return manifest::DigestOf(std::move(files));
}

}  // namespace glasscase::commands
