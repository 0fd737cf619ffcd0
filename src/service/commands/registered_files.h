// The digest that a file or a folder is registered under.
#pragma once

#include <filesystem>

#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>

namespace glasscase::commands {

// Of a file, or of a folder with one file, SHA-256 of its bytes; of another folder, that of its
// manifest (api/formats/manifest.md). Hidden files do not count. Refuses links and what is no file.
Result<Digest> DigestOfRegistered(const std::filesystem::path& file_or_folder);

}  // namespace glasscase::commands
