// A run, as the commands that begin or follow one show it.
#pragma once

#include <string>

#include <boost/json/value.hpp>

#include "command.h"

namespace glasscase::commands {

std::string RunPath(const std::string& run);
bool HasEnded(const boost::json::value& run);
// 0 when it succeeded, else 1.
Outcome EndOf(const boost::json::value& run);

void PrintRun(const Context& context, const boost::json::value& run);
// The same, or its JSON where that is asked for.
void ShowRun(const Context& context, const boost::json::value& run);
// For who does not wait: `next` is the command that goes on from here.
Outcome LeaveQueued(const Context& context, const boost::json::value& run, const std::string& next);
// What its evidence says, in a line for each thing; nothing where it has none.
void PrintEvidence(const Context& context, const boost::json::value& run);

enum class Follow {
  kLog,       // what it prints, and the turns that it takes
  kProgress,  // no more than how far it is; the log where nobody sees a bar
};
// Until it has ended; gives the run then. On a terminal a bar under the rest says how far it is.
Result<boost::json::value> FollowRun(Context& context, Api& api, const std::string& run, Follow what);

}  // namespace glasscase::commands
