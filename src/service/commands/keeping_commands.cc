// backup, restore, fsck, ledger renew: a data directory, copied while it is served, checked, and its log.
#include <sstream>

#include "child_process.h"
#include "command.h"
#include "json_members.h"
#include "serve_settings.h"
#include "text.h"

namespace glasscase::commands {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

struct KeepingOptions {
  std::string backup;
  std::string data;
  bool repair = false;
};

// Both are done by the custodian's program, which alone knows the data directory's format.
Result<Outcome> RunCustodian(const Context& context, const std::vector<std::string>& arguments,
                             const json::object& done, const std::string& sentence) {
  GC_TRY(const std::string program, FindProgram(context.program_directory(), "glasscase-custodian"));
  GC_TRY(const ProgramResult result, RunProgram(program, arguments));
  if (result.exit_code != 0) return Outcome{1};  // it has said why
  if (context.console.json) {
    context.console.PrintJson(done);
  } else {
    context.console.PrintLine(sentence);
  }
  return Done();
}

// Where catalog and blobs are, as the settings of the data directory say.
Status AddStores(std::vector<std::string>& words, const fs::path& data) {
  GC_TRY(const ServeSettings settings, LoadServeSettings(data));
  for (const std::string& argument : StoreArguments(settings)) words.push_back(argument);
  return Ok();
}

Result<Outcome> Backup(Context& context, const KeepingOptions& options) {
  GC_TRY(const fs::path data, context.DataDirectory(options.data));
  const std::string out = fs::absolute(options.backup).lexically_normal().string();
  std::vector<std::string> words = {"--backup", data.string(), out};
  GC_TRY_VOID(AddStores(words, data));
  return RunCustodian(context, words, {{"backup", out}, {"data", data.string()}},
                      "backed up " + data.string() + " to " + out +
                          ". It holds the installation's keys: keep it as safe as the original");
}

Result<Outcome> Restore(Context& context, const KeepingOptions& options) {
  const std::string backup = fs::absolute(options.backup).lexically_normal().string();
  const std::string data = fs::absolute(options.data).lexically_normal().string();
  return RunCustodian(context, {"--restore", backup, data}, {{"data", data}, {"backup", backup}},
                      "restored to " + data + "; next: glasscase serve --data " + data);
}

Result<Outcome> RenewLog(Context& context, const KeepingOptions& options) {
  GC_TRY(const fs::path data, context.DataDirectory(options.data));
  GC_TRY(const std::string program, FindProgram(context.program_directory(), "glasscase-custodian"));
  std::vector<std::string> words = {"--renew-log", data.string()};
  GC_TRY_VOID(AddStores(words, data));
  GC_TRY(const ProgramResult result, RunProgram(program, words));
  if (result.exit_code != 0) return Outcome{1};  // it has said why
  if (!context.console.json) {
    context.console.Print(Visible(result.output, true));
    return Done();
  }
  json::array lines;
  std::istringstream output(result.output);
  for (std::string line; std::getline(output, line);) lines.emplace_back(line);
  context.console.PrintJson(json::object{{"data", data.string()}, {"done", std::move(lines)}});
  return Done();
}

// The custodian's program prints the problems, a line each.
Result<Outcome> Check(Context& context, const KeepingOptions& options) {
  GC_TRY(const fs::path data, context.DataDirectory(options.data));
  GC_TRY(const std::string program, FindProgram(context.program_directory(), "glasscase-custodian"));
  std::vector<std::string> words = {"--fsck", data.string()};
  GC_TRY_VOID(AddStores(words, data));
  if (options.repair) words.emplace_back("--repair");
  GC_TRY(const ProgramResult result, RunProgram(program, words));
  if (context.console.json) {
    json::array repaired, left, problems;
    std::istringstream output(result.output);
    for (std::string line; std::getline(output, line);)
      (line.starts_with("repaired ") ? repaired
       : line.starts_with("left ")   ? left
                                     : problems)
          .emplace_back(line);
    const json::value summary = problems.empty() ? json::value() : problems.back();
    if (!problems.empty()) problems.pop_back();
    json::object said{{"data", data.string()}, {"problems", std::move(problems)}, {"summary", summary}};
    if (options.repair) {
      said["repaired"] = std::move(repaired);
      said["left"] = std::move(left);
    }
    context.console.PrintJson(said);
  } else {
    context.console.Print(Visible(result.output, true));
  }
  return Outcome{result.exit_code == 0 ? 0 : 1};
}

}  // namespace

void AddKeepingCommands(CommandTree& tree) {
  tree.Add<KeepingOptions>(
      tree.root(), "backup", "Copy the data directory, also while it is served",
      "glasscase backup /mnt/backup/2026-11-20\nglasscase backup out --data /srv/glasscase",
      [](CLI::App& command, KeepingOptions& options) {
        command.add_option("out", options.backup, "Folder to make; must not exist")
            ->required()
            ->type_name("DIR_OUT");
        command.add_option("--data", options.data, "Data directory (default: as for serve)")
            ->type_name("DIR");
      },
      Backup);
  tree.Add<KeepingOptions>(
      tree.root(), "restore", "Make a data directory from a backup",
      "glasscase restore /mnt/backup/2026-11-20 --data /srv/glasscase",
      [](CLI::App& command, KeepingOptions& options) {
        command.add_option("backup", options.backup, "What `glasscase backup` made")
            ->required()
            ->type_name("BACKUP");
        command.add_option("--data", options.data, "Data directory to make; must not exist or be empty")
            ->required()
            ->type_name("DIR");
      },
      Restore);
  tree.Add<KeepingOptions>(
      tree.root(), "fsck", "Check a data directory, also a stopped one: ledger, catalog and bytes agree",
      "glasscase fsck\nglasscase fsck --data /srv/glasscase --json\nglasscase fsck --repair",
      [](CLI::App& command, KeepingOptions& options) {
        command.add_option("--data", options.data, "Data directory (default: as for serve)")
            ->type_name("DIR");
        command.add_flag("--repair", options.repair,
                         "First rebuild what the rest proves: the log's tiles, bundles that are still in the "
                         "catalog, indexes. Stop serving before");
      },
      Check);
  CLI::App& ledger = tree.AddGroup("ledger", "The log of an installation", "glasscase ledger renew");
  tree.Add<KeepingOptions>(
      ledger, "renew",
      "Let the log of a stopped installation go on under a new name and key: after the key was stolen, or "
      "when "
      "a backup is older than the log and the newest catalog is lost",
      "glasscase ledger renew\nglasscase ledger renew --data /srv/glasscase",
      [](CLI::App& command, KeepingOptions& options) {
        command.add_option("--data", options.data, "Data directory (default: as for serve)")
            ->type_name("DIR");
      },
      RenewLog);
}

}  // namespace glasscase::commands
