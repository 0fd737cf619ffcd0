// Texts as older protocols write them.
#pragma once

#include <string>
#include <string_view>

namespace glasscase::pickle {

// The inside of a quoted text with Python's escapes (opcode STRING).
std::string UnescapeString(std::string_view text);

// A text in which \uXXXX and \UXXXXXXXX stand for characters (opcode UNICODE).
std::string UnescapeRawUnicode(std::string_view text);

}  // namespace glasscase::pickle
