#include "time_option.h"

#include <map>

#include <CLI/CLI.hpp>

namespace glasscase::commands {

void AddTimeOption(CLI::App& command, const std::string& name, uint64_t& seconds, const std::string& help,
                   uint64_t seconds_max) {
  command.add_option(name, seconds, help)
      ->transform(CLI::AsNumberWithUnit(
          std::map<std::string, uint64_t>{{"s", 1}, {"m", 60}, {"h", 3'600}, {"d", kSecondsOfDay}},
          CLI::AsNumberWithUnit::UNIT_REQUIRED))
      ->check(CLI::Range(uint64_t{1}, seconds_max))
      ->type_name("TIME");
}

}  // namespace glasscase::commands
