// Small files that commands write.
#pragma once

#include <filesystem>
#include <string>

#include <glasscase/core/error.h>

namespace glasscase::commands {

// In the place of what was there.
Status WriteText(const std::filesystem::path& path, const std::string& text);

}  // namespace glasscase::commands
