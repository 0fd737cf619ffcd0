// The evidence of a verification (api/formats/verification-evidence.md) in words.
#pragma once

#include <string>
#include <vector>

#include <boost/json/value.hpp>

namespace glasscase::commands {

// Lines that can be shown. `evidence` comes from a server: what is missing or of another kind is left out.
std::vector<std::string> VerificationLines(const boost::json::value& evidence);

}  // namespace glasscase::commands
