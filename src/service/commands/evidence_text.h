// Evidence of runs, in words.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <boost/json/value.hpp>

namespace glasscase::commands {

// Of a run's own evidence, JSON text of a worker: nothing where it is none.
std::vector<std::string> EvidenceLines(std::string_view evidence);
// From where the random inputs were drawn (`inputs.ranges`): "the data (3 features), a guess of -10 to 10
// (1)".
std::string RangesText(const boost::json::value& ranges);
// Of what the server says of a version: a member of its list `evidence`.
std::string EvidenceSummary(const boost::json::value& evidence);

}  // namespace glasscase::commands
