// How a command is declared: its words and options with CLI11, and what it does.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <glasscase/core/error.h>

#include "context.h"

namespace glasscase::commands {

// What a command may end with: nothing, an error (InvalidArgument only when it was used wrongly), or the exit
// code of a program that it ran.
struct Outcome {
  int exit_code = 0;
};
using Action = std::function<Result<Outcome>(Context&)>;

inline Result<Outcome> Done() { return Outcome{}; }

// The tree of commands while it is built and parsed.
class CommandTree {
 public:
  explicit CommandTree(CLI::App& root) : root_(root) {}

  CLI::App& root() { return root_; }

  // Declares a command below `parent`. `Options` is default-constructed and lives as long as the tree;
  // `declare` binds its members to words; `run` is what the command does. `examples`: one per line.
  template <typename Options>
  CLI::App& Add(CLI::App& parent, std::string name, std::string what, std::string_view examples,
                const std::function<void(CLI::App&, Options&)>& declare,
                std::function<Result<Outcome>(Context&, const Options&)> run) {
    auto options = std::make_shared<Options>();
    CLI::App& command = Declare(parent, std::move(name), std::move(what), examples);
    if (declare) declare(command, *options);
    command.callback([this, options, run = std::move(run)] {
      action_ = [options, run](Context& context) { return run(context, *options); };
    });
    return command;
  }

  // A word that only has commands below it, such as `list`.
  CLI::App& AddGroup(std::string name, std::string what, std::string_view examples);

  // What the parsed words ask for; empty when nothing was parsed.
  const Action& action() const { return action_; }

 private:
  static CLI::App& Declare(CLI::App& parent, std::string name, std::string what, std::string_view examples);

  CLI::App& root_;
  Action action_;
};

struct NoOptions {};

// "30d", "12h", "90min": a whole number and s, min, h or d. For --expires.
CLI::Validator DurationForm();
// "100/min", "5/10s". For --quota.
CLI::Validator QuotaForm();

// The groups of commands, one file each.
void AddInitCommand(CommandTree& tree);
void AddServeCommand(CommandTree& tree);
void AddStopCommand(CommandTree& tree);
void AddIdentityCommands(CommandTree& tree);  // whoami, version
void AddLoginCommand(CommandTree& tree);
void AddPublishCommand(CommandTree& tree);
void AddAccessCommands(CommandTree& tree);  // subject, token, invite, grant, revoke
void AddCallCommand(CommandTree& tree);
void AddModelCommands(CommandTree& tree);  // show, lineage, default, retire, erase
void AddEditCommands(CommandTree& tree);   // edit, card
void AddListCommands(CommandTree& tree);   // list, search
void AddTakeCommand(CommandTree& tree);
void AddLedgerCommands(CommandTree& tree);  // receipt, history
void AddStatusCommand(CommandTree& tree);
void AddKeepingCommands(CommandTree& tree);  // backup, restore, fsck
void AddMigrateCommand(CommandTree& tree);
void AddChainCommands(CommandTree& tree);   // chain init, chain show, anchor
void AddRunCommands(CommandTree& tree);     // train, runs
void AddWorkerCommands(CommandTree& tree);  // workers
void AddTranslateCommand(CommandTree& tree);
void AddWitnessCommands(CommandTree& tree);  // init, serve
void AddVerifyCommand(CommandTree& tree);
void AddCompletionCommand(CommandTree& tree);

}  // namespace glasscase::commands
