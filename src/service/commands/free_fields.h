// Free fields as words of a command: KEY=VALUE.
#pragma once

#include <string>
#include <vector>

#include <boost/json/array.hpp>

#include <glasscase/core/error.h>

namespace glasscase::commands {

// As the API takes them. InvalidArgument for a word without "=".
Result<boost::json::array> FieldsFrom(const std::vector<std::string>& words);

}  // namespace glasscase::commands
