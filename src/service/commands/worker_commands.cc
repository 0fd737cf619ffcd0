// workers: which there are, and letting those of other machines in.
#include <boost/json/array.hpp>

#include "command.h"
#include "json_members.h"
#include "text.h"

namespace glasscase::commands {
namespace {

namespace json = boost::json;

constexpr char kPath[] = "/glasscase/v1/workers";

struct WorkerOptions {
  std::string name;
  std::string key;
};

// Lists are arrays of objects with `id`, everywhere.
json::object WithId(const json::value& worker) {
  json::object object = worker.is_object() ? worker.get_object() : json::object{};
  object["id"] = TextOf(worker, "name");
  return object;
}

Result<Outcome> AddWorker(Context& context, const WorkerOptions& options) {
  GC_TRY(Api * api, context.Control());
  GC_TRY(const json::value answer, api->Post(kPath, {{"name", options.name}, {"key", options.key}}));
  const std::string gate = TextOf(answer, "gate");
  const bool listens = FlagOf(answer, "listens");
  if (context.console.json) {
    json::object shown = WithId(ArrayOf(answer, "workers").empty() ? json::value(json::object{})
                                                                   : ArrayOf(answer, "workers")[0]);
    shown["gate"] = gate;
    shown["listens"] = listens;
    context.console.PrintJson(shown);
    return Done();
  }
  context.console.PrintLine("worker " + Visible(options.name) + " may connect; on its machine:");
  context.console.PrintLine("glasscase-worker --connect HOST:PORT --key FILE --gate " + ShellQuote(gate));
  context.console.Note(
      listens ? "HOST:PORT is where this installation's --worker-listen is reached from there"
              : "this installation takes no workers yet: serve with --worker-listen ADDRESS:PORT");
  return Done();
}

std::string WhereOf(const json::value& worker) {
  if (TextOf(worker, "key").empty()) return "this machine";
  const std::string address = ShownOf(worker, "address");
  return address.empty() ? "not connected" : address;
}

Result<Outcome> ListWorkers(Context& context, const NoOptions&) {
  GC_TRY(Api * api, context.Control());
  GC_TRY(const json::value answer, api->Get(kPath));
  json::array workers;
  std::vector<std::vector<std::string>> rows = {{"WORKER", "WHERE", "RUNS", "RUNNERS", "SINCE", "TROUBLE"}};
  for (const json::value& worker : ArrayOf(answer, "workers")) {
    workers.push_back(WithId(worker));
    rows.push_back(
        {ShownOf(worker, "name"), WhereOf(worker),
         std::to_string(IntegerOf(worker, "running")) + "/" + std::to_string(IntegerOf(worker, "slots")),
         Join(ShownTextsOf(worker, "runners"), ", "), ShownOf(worker, "connected_at"),
         ShownOf(worker, "trouble")});
  }
  if (context.console.json) {
    context.console.PrintJson(workers);
    return Done();
  }
  context.console.PrintTable(rows, "no worker is there: serve with --workers, or add one of another machine");
  return Done();
}

Result<Outcome> RemoveWorker(Context& context, const WorkerOptions& options) {
  GC_TRY(Api * api, context.Control());
  GC_TRY(const json::value answer, api->Delete(std::string(kPath) + "/" + PercentEncode(options.name)));
  if (context.console.json) {
    context.console.PrintJson(answer);
  } else {
    context.console.PrintLine("worker " + Visible(options.name) +
                              " is cut off and does not come again; what it ran begins anew elsewhere");
  }
  return Done();
}

void AddName(CLI::App& command, WorkerOptions& options) {
  command.add_option("name", options.name, "What it is called here")->required()->type_name("NAME");
}

}  // namespace

void AddWorkerCommands(CommandTree& tree) {
  CLI::App& group = tree.AddGroup("workers", "What runs jobs, here and on other machines",
                                  "glasscase workers list\n"
                                  "glasscase workers add gpu-1 --key sha256//...");
  tree.Add<WorkerOptions>(
      group, "add", "Let a worker on another machine in",
      "glasscase-worker --new-key worker.key        (on the other machine; prints the pin)\n"
      "glasscase workers add gpu-1 --key sha256//...",
      [](CLI::App& command, WorkerOptions& options) {
        AddName(command, options);
        command
            .add_option("--key", options.key, "The pin of its key, which glasscase-worker --new-key prints")
            ->required()
            ->type_name("PIN");
      },
      AddWorker);
  tree.Add<NoOptions>(group, "list", "Which there are", "glasscase workers list", nullptr, ListWorkers);
  tree.Add<WorkerOptions>(group, "remove", "Cut a worker on another machine off, at once and for good",
                          "glasscase workers remove gpu-1", AddName, RemoveWorker);
}

}  // namespace glasscase::commands
