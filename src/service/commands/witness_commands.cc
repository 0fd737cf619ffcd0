// witness init and serve: a witness for the logs of others.
#include <unistd.h>

#include <cerrno>

#include "child_process.h"
#include "command.h"
#include "listen_address.h"
#include "text.h"

namespace glasscase::commands {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr char kProgram[] = "glasscase-witness";

struct WitnessOptions {
  std::string data;
  std::string name;
  std::string listen = "127.0.0.1:8020";
  std::vector<std::string> logs;
};

std::string Absolute(const std::string& path) { return fs::absolute(path).lexically_normal().string(); }

Result<Outcome> InitWitness(Context& context, const WitnessOptions& options) {
  GC_TRY(const std::string program, FindProgram(context.program_directory(), kProgram));
  const std::string data = Absolute(options.data);
  GC_TRY(ProgramResult result, RunProgram(program, {"--init=" + options.name, "--data=" + data}));
  if (result.exit_code != 0) return Outcome{1};  // it has said why
  while (result.output.ends_with('\n')) result.output.pop_back();
  if (context.console.json) {
    context.console.PrintJson(json::object{{"vkey", result.output}, {"data", data}});
  } else {
    context.console.PrintLine(result.output);
    context.console.Note(
        "that is the witness's verifier key, for the policies of others; next: glasscase witness serve "
        "--data " +
        ShellQuote(options.data) + " --log VKEY");
  }
  return Done();
}

// The witness takes this process over: signals and exit codes are its own.
Result<Outcome> ServeWitness(Context& context, const WitnessOptions& options) {
  GC_TRY(const ListenAddress where, ListenAddress::Parse(options.listen));
  GC_TRY(const std::string program, FindProgram(context.program_directory(), kProgram));
  std::vector<std::string> words = {program, "--data=" + Absolute(options.data), "--address=" + where.address,
                                    "--port=" + std::to_string(where.port)};
  for (const std::string& log : options.logs) words.push_back("--log=" + log);
  if (context.console.json) words.emplace_back("--json");
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  ::execv(program.c_str(), arguments.data());
  return Fail(Error::FromErrno(errno, "cannot start " + program));
}

}  // namespace

void AddWitnessCommands(CommandTree& tree) {
  CLI::App& group =
      tree.AddGroup("witness", "Sign what logs of others show, so that they show everybody the same",
                    "glasscase witness init --data w --name witness.example\n"
                    "glasscase witness serve --data w --log log.example+c1a2b3d4+AV...");
  tree.Add<WitnessOptions>(
      group, "init", "Make a witness's key and print its verifier key",
      "glasscase witness init --data /srv/witness --name witness.example",
      [](CLI::App& command, WitnessOptions& options) {
        command.add_option("--data", options.data, "Folder to make, for the key and what was signed")
            ->required()
            ->type_name("DIR");
        command.add_option("--name", options.name, "Name of the key: a domain and path that are yours")
            ->required()
            ->type_name("NAME");
      },
      InitWitness);
  tree.Add<WitnessOptions>(
      group, "serve", "Answer logs until ^C or SIGTERM",
      "glasscase witness serve --data /srv/witness --log log.example+c1a2b3d4+AV...\n"
      "glasscase witness serve --data w --listen 0.0.0.0:8020 --log VKEY1 --log VKEY2",
      [](CLI::App& command, WitnessOptions& options) {
        command.add_option("--data", options.data, "What `glasscase witness init` made")
            ->required()
            ->type_name("DIR");
        command.add_option("--listen", options.listen, "Where to listen (default: 127.0.0.1:8020)")
            ->type_name("ADDRESS:PORT");
        command.add_option("--log", options.logs, "Verifier key of a log to watch (repeat)")
            ->required()
            ->allow_extra_args(false)
            ->type_name("VKEY");
      },
      ServeWitness);
}

}  // namespace glasscase::commands
