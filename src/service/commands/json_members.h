// Members of JSON objects that a server sent: absent or of another type reads as empty.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/value.hpp>

#include <glasscase/core/error.h>

namespace glasscase::commands {

std::string TextOf(const boost::json::value& object, std::string_view member);   // as the server sent it
std::string ShownOf(const boost::json::value& object, std::string_view member);  // Visible
int64_t IntegerOf(const boost::json::value& object, std::string_view member);
double NumberOf(const boost::json::value& object, std::string_view member);
bool FlagOf(const boost::json::value& object, std::string_view member);
const boost::json::array& ArrayOf(const boost::json::value& object, std::string_view member);
const boost::json::value& ValueOf(const boost::json::value& object, std::string_view member);
std::vector<std::string> ShownTextsOf(const boost::json::value& object, std::string_view member);

// `what` names the text in the error. At most 64 levels deep.
Result<boost::json::value> ParseJson(std::string_view text, std::string_view what);

}  // namespace glasscase::commands
