#pragma once

#include <string_view>

#include <glasscase/core/error.h>

namespace glasscase::translation {

inline constexpr std::string_view kDumpFormat = "glasscase sklearn dump";
// The format's page says how early it names itself.
inline constexpr size_t kNamedWithin = 512;

// InvalidArgument: what the file is instead, and which ones can be translated.
Error Unreadable(std::string_view what);

}  // namespace glasscase::translation
