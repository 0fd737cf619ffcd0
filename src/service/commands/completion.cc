#include "completion.h"

#include <functional>
#include <vector>

#include "command.h"
#include "text.h"

namespace glasscase::commands {
namespace {

// One place in the tree: the words that lead there and those that may follow.
struct Place {
  std::string path;  // "list models"; empty at the root
  const CLI::App* app = nullptr;
  std::vector<std::string> commands;
  std::vector<std::string> options;
};

std::vector<const CLI::App*> CommandsBelow(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

std::vector<std::string> OptionsOf(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const auto& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

void Collect(const CLI::App& app, const std::string& path, std::vector<Place>& places) {
  Place place{path, &app, {}, OptionsOf(app)};
  if (!path.empty()) place.options.insert(place.options.end(), {"--json", "--profile"});
  for (const CLI::App* command : CommandsBelow(app)) place.commands.push_back(command->get_name());
  places.push_back(std::move(place));
  for (const CLI::App* command : CommandsBelow(app)) {
    Collect(*command, path.empty() ? command->get_name() : path + " " + command->get_name(), places);
  }
}

std::vector<Place> Places(const CLI::App& root) {
  std::vector<Place> places;
  Collect(root, "", places);
  return places;
}

// The arms of a shell's `case "$path" in`, each setting `names` and `flags`.
std::string CaseArms(const CLI::App& root) {
  std::string arms;
  for (const Place& place : Places(root)) {
    arms += "    \"" + place.path + "\") names=\"" + Join(place.commands, " ") + "\"; flags=\"" +
            Join(place.options, " ") + "\" ;;\n";
  }
  return arms;
}

// All commands, so that the words before the cursor can be told from options and values.
std::string AllCommandWords(const CLI::App& root) {
  std::vector<std::string> paths;
  for (const Place& place : Places(root)) {
    if (!place.path.empty()) paths.push_back("\"" + place.path + "\"");
  }
  return Join(paths, "|");
}

struct CompletionOptions {
  std::string shell;
};

}  // namespace

std::string BashCompletion(const CLI::App& root) {
  return "# glasscase completion bash > /etc/bash_completion.d/glasscase\n"
         "_glasscase() {\n"
         "  local current=\"${COMP_WORDS[COMP_CWORD]}\" path=\"\" longer names=\"\" flags=\"\" i\n"
         "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
         "    longer=\"${path:+$path }${COMP_WORDS[i]}\"\n"
         "    case \"$longer\" in\n"
         "      " +
         AllCommandWords(root) +
         ") path=\"$longer\" ;;\n"
         "    esac\n"
         "  done\n"
         "  case \"$path\" in\n" +
         CaseArms(root) +
         "  esac\n"
         "  if [[ $current == -* ]]; then\n"
         "    mapfile -t COMPREPLY < <(compgen -W \"$flags\" -- \"$current\")\n"
         "  elif [[ -n $names ]]; then\n"
         "    mapfile -t COMPREPLY < <(compgen -W \"$names\" -- \"$current\")\n"
         "  else\n"
         "    mapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n"
         "  fi\n"
         "}\n"
         "complete -o filenames -F _glasscase glasscase\n";
}

std::string ZshCompletion(const CLI::App& root) {
  return "#compdef glasscase\n"
         "# glasscase completion zsh > \"${fpath[1]}/_glasscase\"\n"
         "_glasscase() {\n"
         "  local current=\"${words[CURRENT]}\" path_words=\"\" longer i names=\"\" flags=\"\"\n"
         "  for ((i = 2; i < CURRENT; i++)); do\n"
         "    longer=\"${path_words:+$path_words }${words[i]}\"\n"
         "    case \"$longer\" in\n"
         "      " +
         AllCommandWords(root) +
         ") path_words=\"$longer\" ;;\n"
         "    esac\n"
         "  done\n"
         "  case \"$path_words\" in\n" +
         CaseArms(root) +
         "  esac\n"
         "  if [[ $current == -* ]]; then\n"
         "    compadd -- ${=flags}\n"
         "  elif [[ -n $names ]]; then\n"
         "    compadd -- ${=names}\n"
         "  else\n"
         "    _files\n"
         "  fi\n"
         "}\n"
         "compdef _glasscase glasscase\n";
}

std::string FishCompletion(const CLI::App& root) {
  std::string script = "# glasscase completion fish > ~/.config/fish/completions/glasscase.fish\n";
  const auto quoted = [](const CLI::App& app) { return ShellQuote(app.get_description()); };
  for (const CLI::App* command : CommandsBelow(root)) {
    const std::string& name = command->get_name();
    script +=
        "complete -c glasscase -n __fish_use_subcommand -f -a " + name + " -d " + quoted(*command) + "\n";
    std::vector<std::string> below;
    for (const CLI::App* second : CommandsBelow(*command)) below.push_back(second->get_name());
    for (const CLI::App* second : CommandsBelow(*command)) {
      script += "complete -c glasscase -n '__fish_seen_subcommand_from " + name +
                "; and not __fish_seen_subcommand_from " + Join(below, " ") + "' -f -a " +
                second->get_name() + " -d " + quoted(*second) + "\n";
    }
  }
  for (const Place& place : Places(root)) {
    if (place.path.empty() || !place.commands.empty()) continue;
    std::string seen = "__fish_seen_subcommand_from " + place.path;
    if (const size_t space = place.path.find(' '); space != std::string::npos) {
      seen = "__fish_seen_subcommand_from " + place.path.substr(0, space) +
             "; and __fish_seen_subcommand_from " + place.path.substr(space + 1);
    }
    for (const CLI::Option* option : place.app->get_options()) {
      for (const auto& name : option->get_lnames()) {
        script.append("complete -c glasscase -n '").append(seen).append("' -l ").append(name);
        if (option->get_expected_max() > 0) script.append(" -r");
        script.append(" -d ").append(ShellQuote(option->get_description())).append("\n");
      }
    }
  }
  script +=
      "complete -c glasscase -l json -d 'Answer in JSON'\ncomplete -c glasscase -l profile -r -d 'Which "
      "profile'\n";
  return script;
}

void AddCompletionCommand(CommandTree& tree) {
  tree.Add<CompletionOptions>(
      tree.root(), "completion", "Print a completion script for a shell",
      "source <(glasscase completion bash)\nglasscase completion zsh > \"${fpath[1]}/_glasscase\"\n"
      "glasscase completion fish > ~/.config/fish/completions/glasscase.fish",
      [](CLI::App& command, CompletionOptions& options) {
        command.add_option("shell", options.shell, "bash, zsh or fish")
            ->required()
            ->check(CLI::IsMember(std::vector<std::string>{"bash", "zsh", "fish"}))
            ->type_name("bash|zsh|fish");
      },
      [&tree](Context& context, const CompletionOptions& options) {
        const auto make = options.shell == "bash"  ? BashCompletion
                          : options.shell == "zsh" ? ZshCompletion
                                                   : FishCompletion;
        context.console.Print(make(tree.root()));
        return Done();
      });
}

}  // namespace glasscase::commands
