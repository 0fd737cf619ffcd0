#include "free_fields.h"

#include <boost/json/object.hpp>

#include <glasscase/core/bytes.h>

namespace glasscase::commands {

Result<boost::json::array> FieldsFrom(const std::vector<std::string>& words) {
  boost::json::array fields;
  for (const std::string& word : words) {
    const size_t equals = word.find('=');
    if (equals == word.npos)
      return Fail(Error::InvalidArgument("a field is written KEY=VALUE, not " + Printable(word)));
    fields.push_back(
        boost::json::object{{"key", word.substr(0, equals)}, {"value", word.substr(equals + 1)}});
  }
  return fields;
}

}  // namespace glasscase::commands
