// stop: ends a running server and waits until it is gone.
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <thread>

#include "command.h"

namespace glasscase::commands {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr std::chrono::seconds kPatience{30};

struct StopOptions {
  std::string data;
};

// The supervisor that holds DIR/serve.lock; 0 when there is none. A pid in a stale file may belong to
// somebody else by now: the program's name is checked.
pid_t SupervisorOf(const fs::path& data) {
  pid_t pid = 0;
  if (!(std::ifstream(data / "serve.lock") >> pid) || pid <= 1) return 0;
  std::string name;
  std::getline(std::ifstream("/proc/" + std::to_string(pid) + "/comm") >> std::ws, name);
  return name == "glasscased" ? pid : 0;
}

bool WaitUntilGone(const fs::path& data, pid_t pid) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (std::chrono::steady_clock::now() < deadline) {
    if (SupervisorOf(data) != pid || kill(pid, 0) != 0) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return false;
}

Result<Outcome> Report(const Context& context, const std::string& sentence, bool was_running) {
  if (context.console.json) {
    context.console.PrintJson(json::object{{"stopped", was_running}});
  } else {
    context.console.PrintLine(sentence);
  }
  return Done();
}

Result<Outcome> StopByPid(const Context& context, const fs::path& data, pid_t pid) {
  if (kill(pid, SIGTERM) != 0)
    return Fail(Error::FromErrno(errno, "could not end process " + std::to_string(pid)));
  if (!WaitUntilGone(data, pid))
    return Fail(Error::DeadlineExceeded("process " + std::to_string(pid) + " still runs after 30 s"));
  return Report(context, "stopped", true);
}

// A remote server cannot be watched; it is gone when nothing answers any more.
Result<Outcome> StopByRequest(Context& context, Api& api, const fs::path& data, pid_t pid) {
  GC_TRY(const json::value answer, api.Post("/glasscase/v1/stop", json::object{}));
  if (pid != 0) {
    if (!WaitUntilGone(data, pid))
      return Fail(
          Error::DeadlineExceeded("the server still runs after 30 s (process " + std::to_string(pid) + ")"));
    return Report(context, "stopped", true);
  }
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (std::chrono::steady_clock::now() < deadline) {
    const auto alive = api.Get("/glasscase/v1/whoami");
    if (!alive && alive.error().code() == Code::kUnavailable) return Report(context, "stopped", true);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return Fail(Error::DeadlineExceeded("the server at " + api.url() + " still answers after 30 s"));
}

Result<Outcome> Stop(Context& context, const StopOptions& options) {
  GC_TRY(const fs::path data, context.DataDirectory(options.data));
  const pid_t pid = SupervisorOf(data);
  // With --data that installation is meant, whatever the profile says.
  if (!options.data.empty() && pid != 0) return StopByPid(context, data, pid);
  if (!options.data.empty()) return Report(context, "nothing runs in " + data.string(), false);

  Result<Api*> api = context.Control();
  if (!api && pid != 0) return StopByPid(context, data, pid);
  if (!api) return Fail(api.error());
  Result<Outcome> stopped = StopByRequest(context, **api, data, pid);
  const bool unreachable = !stopped && stopped.error().code() == Code::kUnavailable;
  if (unreachable && pid != 0) return StopByPid(context, data, pid);
  std::error_code error;
  if (unreachable && fs::is_directory(data, error))
    return Report(context, "nothing runs at " + (*api)->url(), false);
  return stopped;
}

}  // namespace

void AddStopCommand(CommandTree& tree) {
  tree.Add<StopOptions>(
      tree.root(), "stop", "End the running server; calls under way are finished",
      "glasscase stop\nglasscase stop --data /srv/glasscase",
      [](CLI::App& command, StopOptions& options) {
        command.add_option("--data", options.data, "The installation in this directory, through its process")
            ->type_name("DIR");
      },
      Stop);
}

}  // namespace glasscase::commands
