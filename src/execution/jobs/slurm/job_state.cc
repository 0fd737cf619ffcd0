#include "job_state.h"

#include <algorithm>
#include <array>

namespace glasscase::jobs {

std::string FieldOf(std::string_view line, std::string_view field) {
  const std::string name = std::string(field) + "=";
  size_t at = line.find(name);
  // "State=" is also the end of "JobState=".
  while (at != std::string_view::npos && at > 0 && line[at - 1] != ' ') at = line.find(name, at + 1);
  if (at == std::string_view::npos) return "";
  const std::string_view value = line.substr(at + name.size());
  return std::string(value.substr(0, value.find_first_of(" \n")));
}

bool IsUnderWay(std::string_view state) {
  constexpr std::array kUnderWay{"PENDING",   "CONFIGURING", "RUNNING",     "COMPLETING",   "SUSPENDED",
                                 "REQUEUED",  "RESIZING",    "SIGNALING",   "REQUEUE_HOLD", "REQUEUE_FED",
                                 "STAGE_OUT", "STOPPED",     "SPECIAL_EXIT"};
  return std::ranges::find(kUnderWay, state) != kUnderWay.end();
}

JobEnd EndByState(std::string_view state, const std::string& id, bool was_cancelled) {
  const std::string job = "Slurm's job " + id;
  const auto end = [](Ending ending, std::string reason) {
    return JobEnd{.ending = ending, .reason = std::move(reason)};
  };
  if (was_cancelled) return end(Ending::kCancelled, "it was cancelled");
  if (state == "TIMEOUT" || state == "DEADLINE")
    return end(Ending::kTimedOut,
               "it took longer than Slurm gave it (" + job + ": " + std::string(state) + ")");
  if (state == "OUT_OF_MEMORY")
    return end(Ending::kOverMemory, "it used more memory than Slurm gave it (" + job + ": OUT_OF_MEMORY)");
  if (state == "NODE_FAIL" || state == "BOOT_FAIL")
    return end(Ending::kNotStarted, "its node failed (" + job + ": " + std::string(state) + ")");
  if (state == "PREEMPTED")
    return end(Ending::kNotStarted, "its node was given to another job (" + job + ": PREEMPTED)");
  if (state == "CANCELLED" || state == "REVOKED")
    return end(Ending::kNotStarted, "somebody else ended it (" + job + ": " + std::string(state) + ")");
  if (state == "COMPLETED")
    return end(Ending::kNotStarted,
               "its node ended it and left no end, or had not heard of this worker for too "
               "long (" +
                   job + ": COMPLETED)");
  if (state.empty()) return end(Ending::kNotStarted, "Slurm does not know its job " + id + " any more");
  return end(Ending::kNotStarted,
             "it could not be run on its node (" + job + ": " + std::string(state) + ")");
}

}  // namespace glasscase::jobs
