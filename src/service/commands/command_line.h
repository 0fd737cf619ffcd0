// The whole command line: all commands, and how mistakes in their words are explained.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <CLI/App.hpp>

#include "command.h"

namespace glasscase::commands {

// Declares every command below `root`, and the options that all of them take, bound to `context`.
void DeclareCommands(CommandTree& tree, Context& context);

// What is wrong with the first word that names no command, with the nearest one that does; nothing when the
// words are fine so far.
std::optional<std::string> ExplainUnknownCommand(const CLI::App& root,
                                                 const std::vector<std::string>& arguments);

}  // namespace glasscase::commands
