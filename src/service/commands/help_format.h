// The form of --help.
#pragma once

#include <string>

#include <CLI/App.hpp>
#include <CLI/Formatter.hpp>

namespace glasscase::commands {

// "Usage: glasscase grant NAME predict MODEL[@V] [OPTIONS]", and options without CLI11's marks.
class HelpFormat : public CLI::Formatter {
 public:
  HelpFormat();
  std::string make_usage(const CLI::App* app, std::string name) const override;
  std::string make_option_opts(const CLI::Option* option) const override;
  std::string make_option_name(const CLI::Option* option, bool is_positional) const override;
};

}  // namespace glasscase::commands
