#include "model_folder.h"

#include <algorithm>
#include <array>
#include <fstream>

#include <glasscase/core/bytes.h>
#include <glasscase/crypto/sha256.h>

namespace glasscase::commands {
namespace {

namespace fs = std::filesystem;

bool IsHidden(const fs::path& path) { return path.filename().string().starts_with("."); }

bool LiesIn(const fs::path& folder, const fs::path& path) {
  const auto [end, rest] = std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
  return end == folder.end() && rest != path.end();
}

Result<ModelFile> Describe(const fs::path& path, std::string name) {
  if (!IsUtf8(name))
    return Fail(Error::FailedPrecondition("the name of the file \"" + Printable(name) +
                                          "\" is not UTF-8: rename it"));
  std::error_code error;
  ModelFile file{std::move(name), path, fs::file_size(path, error), {}};
  if (error) return Fail(Error::FailedPrecondition(path.string() + ": " + error.message()));
  return file;
}

Result<ModelFile> DescribeEntry(const fs::path& folder, const fs::directory_entry& entry) {
  std::error_code error;
  const fs::path target = fs::canonical(entry.path(), error);
  if (error)
    return Fail(Error::FailedPrecondition(entry.path().string() + " leads nowhere: " + error.message()));
  if (!LiesIn(folder, target)) {
    return Fail(Error::FailedPrecondition(entry.path().string() + " is a link that leaves the folder (to " +
                                          target.string() + "): put a copy of the file in its place"));
  }
  if (!fs::is_regular_file(target, error)) {
    return Fail(Error::FailedPrecondition(entry.path().string() +
                                          " is not a regular file: remove it from the folder"));
  }
  return Describe(target, fs::path(entry.path()).lexically_relative(folder).generic_string());
}

Result<std::vector<ModelFile>> FindInFolder(const fs::path& folder) {
  std::vector<ModelFile> files;
  std::error_code error;
  fs::recursive_directory_iterator entry(folder, error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    std::error_code ignored;
    const bool is_folder = entry->is_directory(ignored) && !entry->is_symlink(ignored);
    if (IsHidden(entry->path())) {
      if (is_folder) entry.disable_recursion_pending();
      continue;
    }
    if (is_folder) continue;
    GC_TRY(ModelFile file, DescribeEntry(folder, *entry));
    files.push_back(std::move(file));
  }
  if (error)
    return Fail(Error::FailedPrecondition("could not read " + folder.string() + ": " + error.message()));
  std::sort(files.begin(), files.end(),
            [](const ModelFile& a, const ModelFile& b) { return a.name < b.name; });
  return files;
}

Status CheckOneModel(const std::vector<ModelFile>& files, const fs::path& where) {
  std::string found;
  size_t models = 0;
  for (const auto& file : files) {
    if (!file.name.ends_with(".onnx")) continue;
    found += (models++ > 0 ? ", " : "") + file.name;
  }
  if (models == 1) return Ok();
  if (models > 1)
    return Fail(
        Error::FailedPrecondition("a folder holds one .onnx file; " + where.string() + " holds " + found));
  return Fail(Error::FailedPrecondition(
      "no file in " + where.string() +
      " ends in .onnx, and no other can be called: turn the model into ONNX first (XGBoost, LightGBM and "
      "scikit-learn: glasscase translate FILE --output model.onnx, PyTorch: torch.onnx.export, TensorFlow: "
      "tf2onnx); or publish it with --kept, to be taken and translated by its name"));
}

}  // namespace

Result<std::vector<ModelFile>> FindFiles(const fs::path& file_or_folder) {
  std::error_code error;
  const fs::path path = fs::canonical(file_or_folder, error);
  if (error)
    return Fail(Error::NotFound("could not read " + file_or_folder.string() + ": " + error.message()));
  std::vector<ModelFile> files;
  if (fs::is_directory(path, error)) {
    GC_TRY(files, FindInFolder(path));
  } else if (fs::is_regular_file(path, error)) {
    GC_TRY(ModelFile file, Describe(path, file_or_folder.filename().string()));
    files.push_back(std::move(file));
  } else {
    return Fail(Error::FailedPrecondition(file_or_folder.string() + " is neither a file nor a folder"));
  }
  return files;
}

Result<std::vector<ModelFile>> FindModelFiles(const fs::path& file_or_folder) {
  GC_TRY(std::vector<ModelFile> files, FindFiles(file_or_folder));
  GC_TRY_VOID(CheckOneModel(files, file_or_folder));
  return files;
}

Status HashFiles(std::vector<ModelFile>& files, const std::function<bool(uint64_t)>& report) {
  std::vector<char> buffer(size_t{1} << 20);
  uint64_t done = 0;
  for (auto& file : files) {
    Sha256Stream hash;
    std::ifstream stream(file.path, std::ios::binary);
    uint64_t bytes = 0;
    while (stream) {
      stream.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
      const auto n = static_cast<size_t>(stream.gcount());
      hash.Update(AsBytes({buffer.data(), n}));
      bytes += n;
      if (!report(done + bytes)) return Fail(Error(Code::kCancelled, "interrupted"));
    }
    if (!stream.eof() || bytes != file.bytes)
      return Fail(Error::FailedPrecondition("could not read " + file.path.string() +
                                            ", or it changes while it is read"));
    file.sha256 = ToHex(hash.Finish());
    done += bytes;
  }
  return Ok();
}

}  // namespace glasscase::commands
