// The lineage of a version as a tree for people.
#pragma once

#include <string>

#include <boost/json/value.hpp>

#include "context.h"

namespace glasscase::commands {

enum class Lines : uint8_t { kBox, kAscii };

// Box-drawing characters where the locale is UTF-8.
Lines LinesOf(const Context& context);

// `graph` is what GET .../lineage answers: what the version was made from, then what was made from it. A
// version that stands in several places is drawn once, and referred to in the others. Empty when it has no
// neighbours.
std::string DrawLineage(const boost::json::value& graph, Lines lines);

}  // namespace glasscase::commands
