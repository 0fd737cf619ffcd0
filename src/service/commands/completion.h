// Completion scripts for shells, made from the tree of commands.
#pragma once

#include <string>

#include <CLI/App.hpp>

namespace glasscase::commands {

std::string BashCompletion(const CLI::App& root);
std::string ZshCompletion(const CLI::App& root);
std::string FishCompletion(const CLI::App& root);

}  // namespace glasscase::commands
