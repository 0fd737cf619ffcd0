// The files of a model that is about to be published.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <glasscase/core/error.h>

namespace glasscase::commands {

struct ModelFile {
  std::string name;  // relative to the folder, with '/'
  std::filesystem::path path;
  uint64_t bytes = 0;
  std::string sha256;  // hexadecimal; by HashFiles
};

// A file, or all files of a folder except hidden ones. Refuses what is not a regular file, links that lead
// out of the folder. In order of name.
Result<std::vector<ModelFile>> FindFiles(const std::filesystem::path& file_or_folder);
// Refuses anything but exactly one .onnx file.
Result<std::vector<ModelFile>> FindModelFiles(const std::filesystem::path& file_or_folder);

// Fills in sha256. `report` hears how many bytes of all are done; false ends it with Cancelled.
Status HashFiles(std::vector<ModelFile>& files, const std::function<bool(uint64_t)>& report);

}  // namespace glasscase::commands
