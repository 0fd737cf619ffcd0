// migrate: catalog and blobs of a stopped installation to other stores.
#include <fstream>
#include <sstream>

#include "child_process.h"
#include "command.h"
#include "serve_settings.h"

namespace glasscase::commands {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr std::string_view kFiles = "files";  // the data directory, as where to

struct MigrateOptions {
  std::string to;
  std::string blobs_to;
  std::string data;
};

std::string UrlOf(const std::string& option, const std::string& now) {
  if (option.empty()) return now;
  return option == kFiles ? std::string() : option;
}

Result<Outcome> Migrate(Context& context, const MigrateOptions& options) {
  if (options.to.empty() && options.blobs_to.empty())
    return Fail(
        Error::InvalidArgument("say where to: --to for the catalog, --blobs-to for the models' bytes"));
  GC_TRY(const fs::path data, context.DataDirectory(options.data));
  GC_TRY(const ServeSettings now, LoadServeSettings(data));
  ServeSettings then = now;
  then.catalog = UrlOf(options.to, now.catalog);
  then.blobs = UrlOf(options.blobs_to, now.blobs);
  GC_TRY_VOID(CheckServeSettings(then));

  GC_TRY(const std::string program, FindProgram(context.program_directory(), "glasscase-custodian"));
  std::vector<std::string> arguments = {"--migrate", data.string()};
  for (const std::string& argument : StoreArguments(now)) arguments.push_back(argument);
  if (!then.catalog.empty()) arguments.push_back("--to-catalog=" + then.catalog);
  if (!then.blobs.empty()) arguments.push_back("--to-blobs=" + then.blobs);
  GC_TRY(const ProgramResult result, RunProgram(program, arguments));
  if (result.exit_code != 0) return Outcome{1};  // it has said why
  GC_TRY_VOID(WriteStoreSettings(data, then));
  if (context.console.json) {
    context.console.PrintJson(
        json::object{{"data", data.string()}, {"catalog", then.catalog}, {"blobs", then.blobs}});
    return Done();
  }
  context.console.Print(result.output);
  context.console.PrintLine("written into " + (data / kSettingsFile).string() +
                            "; next: glasscase serve. What was moved is still in its old place");
  return Done();
}

}  // namespace

void AddMigrateCommand(CommandTree& tree) {
  tree.Add<MigrateOptions>(
      tree.root(), "migrate", "Move the catalog to PostgreSQL, the models' bytes to S3, or back",
      "glasscase migrate --to postgresql://glasscase@db.example/glasscase\n"
      "glasscase migrate --blobs-to 's3://models?endpoint=https://s3.example&region=eu-west-1'\n"
      "glasscase migrate --to files --blobs-to files",
      [](CLI::App& command, MigrateOptions& options) {
        command
            .add_option("--to", options.to,
                        "Where the catalog goes: postgresql://USER@HOST/DATABASE, or files")
            ->type_name("URL");
        command
            .add_option("--blobs-to", options.blobs_to,
                        "Where the models' bytes go: s3://BUCKET/PREFIX?endpoint=URL, or files")
            ->type_name("URL");
        command.add_option("--data", options.data, "Data directory (default: as for serve)")
            ->type_name("DIR");
      },
      Migrate);
}

}  // namespace glasscase::commands
