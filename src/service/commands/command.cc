#include "command.h"

#include <algorithm>
#include <array>

namespace glasscase::commands {
namespace {

bool IsNumber(std::string_view text) {
  return !text.empty() && text.size() <= 10 &&
         text.find_first_not_of("0123456789") == std::string_view::npos &&
         text.find_first_not_of('0') != std::string_view::npos;
}

bool IsUnit(std::string_view text) {
  static constexpr std::array<std::string_view, 8> kUnits = {"s",      "sec", "second", "min",
                                                             "minute", "h",   "hour",   "d"};
  return std::find(kUnits.begin(), kUnits.end(), text) != kUnits.end() || text == "day";
}

// A unit, with a number before it if wanted: "min", "10min".
bool IsPeriod(std::string_view text) {
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  return (digits == 0 || IsNumber(text.substr(0, digits))) && IsUnit(text.substr(digits));
}

bool IsDuration(std::string_view text) {
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  return digits > 0 && IsPeriod(text);
}

bool IsQuota(std::string_view text) {
  const size_t slash = text.find('/');
  return slash != std::string_view::npos && IsNumber(text.substr(0, slash)) &&
         IsPeriod(text.substr(slash + 1));
}

}  // namespace

CLI::Validator DurationForm() {
  return CLI::Validator(
      [](std::string& text) {
        return IsDuration(text) ? std::string()
                                : "a time is written like 30d, 12h, 45min or 90s, not " + text;
      },
      "");
}

CLI::Validator QuotaForm() {
  return CLI::Validator(
      [](std::string& text) {
        return IsQuota(text) ? std::string()
                             : "a quota is written like 100/min, 5000/d or 10/30s, not " + text;
      },
      "");
}

CLI::App& CommandTree::Declare(CLI::App& parent, std::string name, std::string what,
                               std::string_view examples) {
  CLI::App& command = *parent.add_subcommand(std::move(name), std::move(what));
  std::string footer = "Examples:\n";
  while (!examples.empty()) {
    const size_t end = examples.find('\n');
    footer += "  " + std::string(examples.substr(0, end)) + "\n";
    examples = end == std::string_view::npos ? std::string_view{} : examples.substr(end + 1);
  }
  footer.pop_back();
  command.footer(footer);
  return command;
}

CLI::App& CommandTree::AddGroup(std::string name, std::string what, std::string_view examples) {
  CLI::App& group = Declare(root_, std::move(name), std::move(what), examples);
  group.require_subcommand(1);
  return group;
}

}  // namespace glasscase::commands
