#include "json_members.h"

#include <boost/json/parse.hpp>

#include "text.h"

namespace glasscase::commands {

namespace json = boost::json;

const json::value& ValueOf(const json::value& object, std::string_view member) {
  static const json::value kNull;
  const auto* members = object.if_object();
  const auto* found = members == nullptr ? nullptr : members->if_contains(member);
  return found == nullptr ? kNull : *found;
}

std::string TextOf(const json::value& object, std::string_view member) {
  const auto* text = ValueOf(object, member).if_string();
  return text == nullptr ? std::string() : std::string(*text);
}

std::string ShownOf(const json::value& object, std::string_view member) {
  return Visible(TextOf(object, member));
}

double NumberOf(const json::value& object, std::string_view member) {
  const auto& value = ValueOf(object, member);
  if (value.is_double()) return value.get_double();
  if (value.is_int64()) return static_cast<double>(value.get_int64());
  if (value.is_uint64()) return static_cast<double>(value.get_uint64());
  return 0;
}

int64_t IntegerOf(const json::value& object, std::string_view member) {
  const auto* integer = ValueOf(object, member).if_int64();
  return integer == nullptr ? 0 : *integer;
}

bool FlagOf(const json::value& object, std::string_view member) {
  const auto* flag = ValueOf(object, member).if_bool();
  return flag != nullptr && *flag;
}

const json::array& ArrayOf(const json::value& object, std::string_view member) {
  static const json::array kEmpty;
  const auto* array = ValueOf(object, member).if_array();
  return array == nullptr ? kEmpty : *array;
}

std::vector<std::string> ShownTextsOf(const json::value& object, std::string_view member) {
  std::vector<std::string> texts;
  for (const auto& element : ArrayOf(object, member)) {
    if (const auto* text = element.if_string()) texts.push_back(Visible(*text));
  }
  return texts;
}

Result<json::value> ParseJson(std::string_view text, std::string_view what) {
  json::parse_options options;
  options.max_depth = 64;
  json::error_code error;
  json::value value = json::parse(text, error, {}, options);
  if (error) return Fail(Error::FailedPrecondition(std::string(what) + " is not JSON: " + error.message()));
  return value;
}

}  // namespace glasscase::commands
