#include "command_line.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <filesystem>
#include <iostream>

#include <glasscase/core/bytes.h>

#include "help_format.h"
#include "nearest.h"
#include "text.h"

extern char** environ;

namespace glasscase::commands {
namespace {

constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr int kUsedWrongly = 2;

std::vector<std::string> NamesBelow(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  return names;
}

const CLI::App* FindBelow(const CLI::App& app, const std::string& name) {
  const auto commands = app.get_subcommands([&](const CLI::App* a) { return a->get_name() == name; });
  return commands.empty() ? nullptr : commands.front();
}

std::string OptionHint(const CLI::App& root, const std::vector<std::string>& arguments) {
  const CLI::App* command = &root;
  std::string unknown;
  for (const auto& argument : arguments) {
    if (!argument.starts_with("-")) {
      if (const auto* below = FindBelow(*command, argument)) command = below;
    } else if (argument.size() > 2 && unknown.empty()) {
      const std::string name = argument.substr(0, argument.find('='));
      if (command->get_option_no_throw(name) == nullptr && root.get_option_no_throw(name) == nullptr)
        unknown = name;
    }
  }
  if (unknown.empty()) return {};
  std::vector<std::string> names;
  for (const CLI::App* app : {command, &root}) {
    for (const CLI::Option* option : app->get_options()) {
      for (const auto& name : option->get_lnames()) names.push_back("--" + name);
    }
  }
  const auto nearest = Nearest(unknown, names);
  return nearest ? " Did you mean " + *nearest + "?" : std::string();
}

// The command that the words lead to.
const CLI::App& CommandOf(const CLI::App& root, const std::vector<std::string>& arguments) {
  const CLI::App* command = &root;
  for (const auto& argument : arguments) {
    if (const auto* below = FindBelow(*command, argument)) command = below;
  }
  return *command;
}

std::string WordsOf(const CLI::App& command) {
  return command.get_parent() == nullptr ? "glasscase"
                                         : WordsOf(*command.get_parent()) + " " + command.get_name();
}

// The commands run; a ParseError of CLI11 becomes a sentence and exit code 2.
std::optional<int> Parse(CLI::App& root, const Context& context, const std::vector<std::string>& arguments) {
  const auto refuse = [&](const std::string& why) {
    context.console.PrintError(
        Error::InvalidArgument(why + " (" + WordsOf(CommandOf(root, arguments)) + " --help)"));
    return kUsedWrongly;
  };
  if (const auto unknown = ExplainUnknownCommand(root, arguments)) return refuse(*unknown);
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // as CLI11 takes them
  try {
    root.parse(std::move(reversed));
  } catch (const CLI::CallForHelp&) {
    const CLI::App* command = &root;
    for (auto below = command->get_subcommands(); !below.empty(); below = command->get_subcommands())
      command = below.front();
    std::cout << command->help() << std::flush;
    return kDone;
  } catch (const CLI::RequiredError& error) {
    const CLI::App& command = CommandOf(root, arguments);
    const std::string usage = HelpFormat().make_usage(&command, "");
    return refuse(Printable(error.what(), 200) + "." + OptionHint(root, arguments) + " " +
                  usage.substr(0, usage.find('\n')));
  } catch (const CLI::ParseError& error) {
    return refuse(Printable(error.what(), 400) + OptionHint(root, arguments));
  }
  return std::nullopt;
}

std::string Overview() {
  return "Share a model without giving it away.\n\n"
         "  glasscase init                              make an installation on this machine\n"
         "  glasscase serve                             run it\n"
         "  glasscase publish model.onnx --name digits  then let others call it:\n"
         "  glasscase grant ada predict digits";
}

void AddOptionsOfAll(CLI::App& root, Context& context) {
  root.add_flag("--json", context.console.json, "Answer in JSON, errors too");
  root.add_option("--profile", context.profile_name,
                  "Which profile says where and as whom (default: default)")
      ->type_name("NAME");
}

}  // namespace

void DeclareCommands(CommandTree& tree, Context& context) {
  CLI::App& root = tree.root();
  root.name("glasscase");
  root.description(Overview());
  root.footer(
      "Each command explains itself: glasscase COMMAND --help\n"
      "Exit codes: 0 done, 1 refused or failed, 2 used wrongly");
  root.require_subcommand(1);
  root.fallthrough();  // inherited: --json and --profile may stand anywhere
  root.formatter(std::make_shared<HelpFormat>());
  root.option_defaults()->always_capture_default(false);
  AddOptionsOfAll(root, context);

  AddInitCommand(tree);
  AddServeCommand(tree);
  AddStopCommand(tree);
  AddStatusCommand(tree);
  AddPublishCommand(tree);
  AddCallCommand(tree);
  AddListCommands(tree);
  AddModelCommands(tree);
  AddEditCommands(tree);
  AddTakeCommand(tree);
  AddLedgerCommands(tree);
  AddAccessCommands(tree);
  AddLoginCommand(tree);
  AddIdentityCommands(tree);
  AddKeepingCommands(tree);
  AddMigrateCommand(tree);
  AddChainCommands(tree);
  AddRunCommands(tree);
  AddWorkerCommands(tree);
  AddTranslateCommand(tree);
  AddVerifyCommand(tree);
  AddWitnessCommands(tree);
  AddCompletionCommand(tree);
}

namespace {

std::string NoSuchCommand(const std::string& words, const std::string& argument,
                          const std::vector<std::string>& names) {
  const auto nearest = Nearest(argument, names);
  const std::string hint =
      nearest ? "Did you mean: " + words + " " + *nearest + "?" : "There are: " + Join(names, ", ");
  return "there is no command " + words + " " + Printable(argument, 60) + ". " + hint;
}

}  // namespace

std::optional<std::string> ExplainUnknownCommand(const CLI::App& root,
                                                 const std::vector<std::string>& arguments) {
  const CLI::App* command = &root;
  std::string words = "glasscase";
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument == "--profile") ++i;
    if (argument == "--") break;
    if (argument.starts_with("-")) continue;
    const auto names = NamesBelow(*command);
    if (names.empty()) return std::nullopt;
    const CLI::App* below = FindBelow(*command, argument);
    if (below == nullptr) return NoSuchCommand(words, argument, names);
    command = below;
    words.append(" ").append(argument);
  }
  const bool asks_help = std::any_of(arguments.begin(), arguments.end(),
                                     [](const std::string& a) { return a == "--help" || a == "-h"; });
  if (!asks_help && !NamesBelow(*command).empty()) {
    return words + " needs a command: " + Join(NamesBelow(*command), ", ");
  }
  return std::nullopt;
}

Surroundings SurroundingsOfThisProcess(int argc, char** argv, std::string version) {
  Surroundings surroundings;
  surroundings.version = std::move(version);
  surroundings.arguments.assign(argv + (argc > 0 ? 1 : 0), argv + argc);
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    const std::string_view text = *variable;
    const size_t equals = text.find('=');
    if (equals != std::string_view::npos) {
      surroundings.environment.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
  }
  std::error_code error;
  surroundings.program_directory =
      std::filesystem::read_symlink("/proc/self/exe", error).parent_path().string();
  return surroundings;
}

int Run(const Surroundings& surroundings) {
  std::signal(SIGPIPE, SIG_IGN);
  Context context(surroundings);
  // Errors of the words themselves follow --json too, although they come before the words are understood.
  context.console.json = std::find(surroundings.arguments.begin(), surroundings.arguments.end(), "--json") !=
                         surroundings.arguments.end();
  CLI::App root;
  CommandTree tree(root);
  DeclareCommands(tree, context);
  if (const auto exit_code = Parse(root, context, surroundings.arguments)) return *exit_code;
  const Result<Outcome> outcome = tree.action()(context);
  if (outcome) return outcome->exit_code;
  context.console.PrintError(outcome.error());
  return outcome.error().code() == Code::kInvalidArgument ? kUsedWrongly : kFailed;
}

}  // namespace glasscase::commands
