// A card as a file of the caller's: Markdown.
#pragma once

#include <string>

#include <glasscase/core/error.h>

namespace glasscase::commands {

// Empty for no path. NotFound when it cannot be read, FailedPrecondition when the server would not take it:
// too large, or no text.
Result<std::string> ReadCardFile(const std::string& path);

}  // namespace glasscase::commands
