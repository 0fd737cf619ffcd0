// What the record of a run says in numbers, for people.
#pragma once

#include <string>

#include <boost/json/value.hpp>

namespace glasscase::commands {

// "accuracy 0.9778, rows 450"; what is no number stays JSON.
std::string MetricsText(const boost::json::value& metrics);

// "0.83 s of processor time in 1.2 s, at most 312.0 MB of memory, 1.0 MB of disk, 2.1 kB of log"
std::string UsedText(const boost::json::value& used);

}  // namespace glasscase::commands
