// Takes away what a stranger left.
#pragma once

#include <string>

#include <glasscase/core/error.h>

namespace glasscase::working {

// The folder with all that is in it, also where it was made unreadable or unwritable. Follows no link. Nobody
// may write there meanwhile. What is not there is no error.
Status RemoveFolder(const std::string& path);

}  // namespace glasscase::working
