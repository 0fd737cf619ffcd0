#include "help_format.h"

#include <algorithm>
#include <string_view>

namespace glasscase::commands {
namespace {

// CLI11 appends the descriptions of checks after a colon, which a type may have too: "ADDRESS:PORT". They
// have small letters ("INT in [0 - 64]") or braces, and types have none.
bool IsCheck(std::string_view part) {
  return std::any_of(part.begin(), part.end(), [](char c) { return c == '{' || (c >= 'a' && c <= 'z'); });
}

std::string TypeOf(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  size_t colon = type.find(':');
  while (colon != std::string::npos) {
    const size_t next = type.find(':', colon + 1);
    if (IsCheck(std::string_view(type).substr(colon + 1, next - colon - 1))) break;
    colon = next;
  }
  return type.substr(0, colon);
}

std::string WordsTo(const CLI::App* app) {
  const std::string before = app->get_parent() == nullptr ? "" : WordsTo(app->get_parent()) + " ";
  return before + app->get_name();
}

}  // namespace

HelpFormat::HelpFormat() {
  column_width(30);
  label("Subcommands", "Commands");
}

std::string HelpFormat::make_usage(const CLI::App* app, std::string /*name*/) const {
  std::string usage = "Usage: " + WordsTo(app);
  if (!app->get_subcommands([](const CLI::App*) { return true; }).empty()) usage += " COMMAND";
  for (const CLI::Option* option :
       app->get_options([](const CLI::Option* o) { return o->get_positional(); })) {
    usage += " " + TypeOf(*option);
  }
  for (const CLI::Option* option :
       app->get_options([](const CLI::Option* o) { return o->nonpositional() && o->get_required(); })) {
    usage += " " + option->get_name() + " " + TypeOf(*option);
  }
  return usage + " [OPTIONS]\n";
}

std::string HelpFormat::make_option_name(const CLI::Option* option, bool is_positional) const {
  return is_positional ? TypeOf(*option) : option->get_name(false, true);
}

std::string HelpFormat::make_option_opts(const CLI::Option* option) const {
  if (option->get_positional() || option->get_expected_max() == 0) return {};
  return " " + TypeOf(*option);
}

}  // namespace glasscase::commands
