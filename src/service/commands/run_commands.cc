// train, runs: training in a sandbox, by a recipe.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <sstream>
#include <thread>

#include <boost/json/stream_parser.hpp>

#include <glasscase/json/strict.h>

#include "command.h"
#include "json_members.h"
#include "progress.h"
#include "run_following.h"
#include "seeds.h"
#include "text.h"
#include "text_file.h"

namespace glasscase::commands {
namespace {

namespace json = boost::json;

constexpr auto kLookAtManyEvery = std::chrono::seconds(1);

struct TrainOptions {
  std::vector<std::string> recipes;
  std::string seeds;
  std::string name;
  std::string version;
  int64_t priority = 0;
  bool detached = false;
};

struct RunsOptions {
  std::string run;
  std::string model;
  bool open = false;
  bool follow = false;
  std::string output;
};

struct VerifyOptions {
  std::string run;
  std::string worker;
  bool detached = false;
};

// The newest first.
Status EachListed(Api& api, const std::string& conditions,
                  const std::function<void(const json::value&)>& visit) {
  std::string after;
  do {
    GC_TRY(const json::value page,
           api.Get("/glasscase/v1/runs?limit=500" + conditions + (after.empty() ? "" : "&after=" + after)));
    for (const json::value& run : ArrayOf(page, "runs")) visit(run);
    after = TextOf(page, "next");
  } while (!after.empty());
  return Ok();
}

// ", line 12", where the text breaks off from JSON.
std::string LineOf(const std::string& text) {
  json::stream_parser parser;
  json::error_code error;
  const size_t read = parser.write_some(text.data(), text.size(), error);
  if (!error) return "";
  const auto end = text.begin() + static_cast<std::ptrdiff_t>(std::min(read, text.size()));
  return ", line " + std::to_string(std::count(text.begin(), end, '\n') + 1);
}

// Of several files the server knows no names, so what is no JSON is found here.
Result<std::string> ReadRecipe(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored))
    return Fail(Error::InvalidArgument(Visible(path) + " is a folder: name a recipe in it, a JSON file"));
  std::ifstream file(path, std::ios::binary);
  if (!file) return Fail(Error::NotFound("could not read the recipe " + Visible(path)));
  std::ostringstream text;
  text << file.rdbuf();
  std::string recipe = text.str();
  const auto parsed = glasscase::json::Parse(recipe);
  if (parsed) return recipe;
  return Fail(Error(parsed.error().code(), Visible(path) + ": " + parsed.error().message() + LineOf(recipe)));
}

// The server says "runs[1]: ..." of the second.
Error WithFileName(const Error& error, const std::vector<std::string>& paths) {
  for (size_t i = 0; i < paths.size(); ++i) {
    const std::string place = "runs[" + std::to_string(i) + "]: ";
    if (error.message().starts_with(place))
      return Error(error.code(), Visible(paths[i]) + ": " + error.message().substr(place.size()));
  }
  return error;
}

// How many of those runs have not ended.
Result<size_t> CountOpen(Api& api, const std::string& model, const std::set<std::string>& wanted) {
  size_t open = 0;
  GC_TRY_VOID(EachListed(api, "&open=true&model=" + PercentEncode(model), [&](const json::value& run) {
    if (wanted.contains(TextOf(run, "id"))) ++open;
  }));
  return open;
}

Result<json::array> AwaitMany(Context& context, Api& api, const std::string& model,
                              const std::set<std::string>& wanted) {
  Progress progress(context.console, "runs", wanted.size());
  while (true) {
    GC_TRY(const size_t open, CountOpen(api, model, wanted));
    progress.ShowCount(wanted.size() - open);
    if (open == 0) break;
    std::this_thread::sleep_for(kLookAtManyEvery);
  }
  json::array ended;
  GC_TRY_VOID(EachListed(api, "&model=" + PercentEncode(model), [&](const json::value& run) {
    if (wanted.contains(TextOf(run, "id"))) ended.push_back(run);
  }));
  std::reverse(ended.begin(), ended.end());  // as they were queued
  return ended;
}

Outcome PrintMany(const Context& context, const json::array& runs) {
  const auto failed = std::count_if(
      runs.begin(), runs.end(), [](const json::value& run) { return TextOf(run, "state") != "succeeded"; });
  if (context.console.json) {
    context.console.PrintJson(runs);
    return Outcome{failed == 0 ? 0 : 1};
  }
  std::vector<std::vector<std::string>> rows = {{"RUN", "VERSION", "STATE", "REASON"}};
  for (const json::value& run : runs)
    rows.push_back(
        {ShownOf(run, "id"), ShownOf(run, "version"), ShownOf(run, "state"), ShownOf(run, "reason")});
  context.console.PrintTable(rows, "no runs");
  return Outcome{failed == 0 ? 0 : 1};
}

// A sweep: each recipe with each seed, queued all together or not at all.
Result<Outcome> TrainMany(Context& context, const TrainOptions& options) {
  json::array seeds;
  if (!options.seeds.empty()) {
    GC_TRY(const auto parsed, ParseSeeds(options.seeds));
    for (const uint32_t seed : parsed) seeds.push_back(seed);
  }
  json::array submissions;
  for (const std::string& path : options.recipes) {
    GC_TRY(const std::string recipe, ReadRecipe(path));
    submissions.push_back(json::object{{"model", options.name},
                                       {"version", options.version},
                                       {"recipe", recipe},
                                       {"priority", options.priority},
                                       {"seeds", seeds}});
  }
  GC_TRY(Api * api, context.Control());
  const auto queued = api->Post("/glasscase/v1/runs/batch", json::object{{"runs", std::move(submissions)}});
  if (!queued) return Fail(WithFileName(queued.error(), options.recipes));
  const json::array& runs = ArrayOf(*queued, "runs");
  const std::string model = TextOf(runs.at(0), "model");
  if (options.detached) {
    if (context.console.json) {
      context.console.PrintJson(runs);
    } else {
      context.console.PrintLine("queued " + Count(runs.size(), "run") + " of " + Printable(model) +
                                "; next: glasscase runs list --model " + Printable(model));
    }
    return Done();
  }
  std::set<std::string> wanted;
  for (const json::value& run : runs) wanted.insert(TextOf(run, "id"));
  context.console.Note(Count(runs.size(), "run") + " of " + Printable(model));
  GC_TRY(const json::array ended, AwaitMany(context, *api, model, wanted));
  return PrintMany(context, ended);
}

Result<Outcome> Train(Context& context, const TrainOptions& options) {
  if (options.recipes.size() > 1 || !options.seeds.empty()) return TrainMany(context, options);
  GC_TRY(const std::string recipe, ReadRecipe(options.recipes.front()));
  GC_TRY(Api * api, context.Control());
  GC_TRY(json::value run, api->Post("/glasscase/v1/runs", json::object{{"model", options.name},
                                                                       {"version", options.version},
                                                                       {"recipe", recipe},
                                                                       {"priority", options.priority}}));
  const std::string id = TextOf(run, "id");
  if (options.detached) return LeaveQueued(context, run, "glasscase runs logs -f");
  context.console.Note("run " + Printable(id) + " of " + ShownOf(run, "model"));
  GC_TRY(run, FollowRun(context, *api, id, Follow::kLog));
  ShowRun(context, run);
  return EndOf(run);
}

Result<Outcome> List(Context& context, const RunsOptions& options) {
  GC_TRY(Api * api, context.Control());
  std::string conditions;
  if (!options.model.empty()) conditions += "&model=" + PercentEncode(options.model);
  if (options.open) conditions += "&open=true";
  json::array all;
  GC_TRY_VOID(EachListed(*api, conditions, [&](const json::value& run) { all.push_back(run); }));
  if (context.console.json) {
    context.console.PrintJson(all);
    return Done();
  }
  std::vector<std::vector<std::string>> rows = {{"RUN", "KIND", "MODEL", "STATE", "QUEUED", "ENDED"}};
  for (const json::value& run : all) {
    const std::string version = ShownOf(run, "version");
    rows.push_back({ShownOf(run, "id"), ShownOf(run, "kind"),
                    ShownOf(run, "model") + (version.empty() ? "" : "@" + version), ShownOf(run, "state"),
                    ShownOf(run, "created_at"), ShownOf(run, "ended_at")});
  }
  context.console.PrintTable(rows, "no runs; glasscase train RECIPE --name NAME begins one");
  return Done();
}

Result<Outcome> Show(Context& context, const RunsOptions& options) {
  GC_TRY(Api * api, context.Control());
  GC_TRY(const json::value run, api->Get(RunPath(options.run)));
  ShowRun(context, run);
  return Done();
}

Result<Outcome> Logs(Context& context, const RunsOptions& options) {
  GC_TRY(Api * api, context.Control());
  if (options.follow) {
    GC_TRY(const json::value run, FollowRun(context, *api, options.run, Follow::kLog));
    if (context.console.json) context.console.PrintJson(run);
    return EndOf(run);
  }
  std::string from = "0", text;
  while (true) {
    GC_TRY(const json::value piece, api->Get(RunPath(options.run) + "/log?from=" + from));
    if (TextOf(piece, "text").empty()) break;
    text += TextOf(piece, "text");
    from = std::to_string(IntegerOf(piece, "next"));
  }
  if (context.console.json) {
    context.console.PrintJson(json::object{{"run", options.run}, {"text", text}});
  } else {
    context.console.Print(Visible(text, true));
  }
  return Done();
}

// Class N is an answer, but not the one that was hoped for.
Result<Outcome> Verify(Context& context, const VerifyOptions& options) {
  GC_TRY(Api * api, context.Control());
  json::object request;
  if (!options.worker.empty()) request["worker"] = options.worker;
  GC_TRY(json::value run, api->Post(RunPath(options.run) + "/verifications", request));
  const std::string id = TextOf(run, "id");
  if (options.detached) return LeaveQueued(context, run, "glasscase runs show");
  context.console.Note("run " + Printable(id) + " does " + Printable(options.run) + " once more");
  GC_TRY(run, FollowRun(context, *api, id, Follow::kProgress));
  ShowRun(context, run);
  const auto evidence = ParseJson(TextOf(run, "evidence"), "the evidence");
  const bool is_same = evidence && TextOf(*evidence, "class") != "N";
  return Outcome{is_same && TextOf(run, "state") == "succeeded" ? 0 : 1};
}

// A run that trains compares nothing: what repeats or translates its result does.
Error NoEvidence(const json::value& run) {
  const std::string kind = ShownOf(run, "kind"), state = ShownOf(run, "state");
  if (kind != "training")
    return Error::NotFound("the run has no evidence: it is a " + kind + " run that is " + state);
  std::string words = "the run has no evidence: it trains, and compares nothing";
  if (state == "succeeded")
    words += "; glasscase runs verify " + ShownOf(run, "id") +
             " does it once more and compares, and a translation of its result has evidence too (glasscase "
             "runs list shows both)";
  return Error::NotFound(words);
}

Result<Outcome> Evidence(Context& context, const RunsOptions& options) {
  GC_TRY(Api * api, context.Control());
  GC_TRY(const json::value run, api->Get(RunPath(options.run)));
  const std::string evidence = TextOf(run, "evidence");
  if (evidence.empty()) return Fail(NoEvidence(run));
  if (options.output.empty() || options.output == "-") {
    context.console.Print(evidence);
    return Done();
  }
  GC_TRY_VOID(WriteText(options.output, evidence));
  if (context.console.json) {
    context.console.PrintJson(json::object{{"run", options.run}, {"file", options.output}});
  } else {
    context.console.PrintLine("wrote " + Visible(options.output) + ": the evidence of the " +
                              ShownOf(run, "kind") + " run " + ShownOf(run, "id"));
  }
  return Done();
}

Result<Outcome> Cancel(Context& context, const RunsOptions& options) {
  GC_TRY(Api * api, context.Control());
  GC_TRY(const json::value run, api->Delete(RunPath(options.run)));
  if (context.console.json) {
    context.console.PrintJson(run);
  } else {
    context.console.PrintLine("cancelled");
  }
  return Done();
}

void AddRun(CLI::App& command, RunsOptions& options) {
  command.add_option("run", options.run, "UUID of the run")->required()->type_name("RUN");
}

}  // namespace

void AddRunCommands(CommandTree& tree) {
  tree.Add<TrainOptions>(
      tree.root(), "train", "Train a model in a sandbox, by a recipe that pins all that decides the result",
      "glasscase train recipe.json --name digits\nglasscase train recipe.json --name digits --detach\n"
      "glasscase train recipe.json --name digits --seeds 1..100 --version 'seed-{seed}'",
      [](CLI::App& command, TrainOptions& options) {
        command.add_option("recipe", options.recipes, "The recipe, JSON; of several each is a run")
            ->required()
            ->type_name("FILE");
        command.add_option("--name", options.name, "Whose version the result becomes, new or not")
            ->required()
            ->type_name("NAME");
        command
            .add_option("--version", options.version,
                        "Its label, in which {seed} stands for the seed (default: the next number)")
            ->type_name("V");
        command.add_option("--seeds", options.seeds, "A run for each: 1..100, or 1,2,5")->type_name("LIST");
        command
            .add_option("--priority", options.priority,
                        "-100 to 100; larger: before others (above 0: for operators)")
            ->type_name("N");
        command.add_flag("--detach,-d", options.detached, "Do not wait for its end");
      },
      Train);
  CLI::App& runs = tree.AddGroup("runs", "Runs that train or translate", "glasscase runs list");
  tree.Add<RunsOptions>(
      runs, "list", "Your runs, the newest first", "glasscase runs list\nglasscase runs list --open",
      [](CLI::App& command, RunsOptions& options) {
        command.add_option("--model", options.model, "Of this model only")->type_name("NAME");
        command.add_flag("--open", options.open, "Only those that have not ended");
      },
      List);
  tree.Add<RunsOptions>(runs, "show", "How far a run is, and what came of it", "glasscase runs show RUN",
                        AddRun, Show);
  tree.Add<RunsOptions>(
      runs, "logs", "What a run prints", "glasscase runs logs RUN\nglasscase runs logs -f RUN",
      [](CLI::App& command, RunsOptions& options) {
        AddRun(command, options);
        command.add_flag("--follow,-f", options.follow, "Go on until it has ended");
      },
      Logs);
  tree.Add<VerifyOptions>(
      runs, "verify", "Do a run once more: the same bits, within a tolerance, or neither",
      "glasscase runs verify RUN\nglasscase runs verify RUN --on local-2",
      [](CLI::App& command, VerifyOptions& options) {
        command.add_option("run", options.run, "UUID of the run")->required()->type_name("RUN");
        command.add_option("--on", options.worker, "The worker that does it (default: any)")
            ->type_name("WORKER");
        command.add_flag("--detach,-d", options.detached, "Do not wait for its end");
      },
      Verify);
  tree.Add<RunsOptions>(
      runs, "evidence", "What a run compared and found, as JSON",
      "glasscase runs evidence RUN\nglasscase runs evidence RUN -o evidence.json",
      [](CLI::App& command, RunsOptions& options) {
        AddRun(command, options);
        command.add_option("--output,-o", options.output, "Where to (default: standard output)")
            ->type_name("FILE");
      },
      Evidence);
  tree.Add<RunsOptions>(runs, "cancel", "End a run", "glasscase runs cancel RUN", AddRun, Cancel);
}

}  // namespace glasscase::commands
