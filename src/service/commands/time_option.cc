#include "time_option.h"

#include <map>

#include <CLI/CLI.hpp>

namespace glasscase::commands {

void AddTimeOption(CLI::App& command, const std::string& name, uint64_t& seconds, const std::string& help,
                   uint64_t seconds_max) {
  command.add_option(name, seconds, help)
      ->transform(CLI::AsNumberWithUnit(
          // As operations/names.h has them for what the server reads.
          std::map<std::string, uint64_t>{{"s", 1},
                                          {"sec", 1},
                                          {"second", 1},
                                          {"m", 60},
                                          {"min", 60},
                                          {"minute", 60},
                                          {"h", 3'600},
                                          {"hour", 3'600},
                                          {"d", kSecondsOfDay},
                                          {"day", kSecondsOfDay},
                                          {"w", 7 * kSecondsOfDay}},
          CLI::AsNumberWithUnit::UNIT_REQUIRED))
      ->check(CLI::Range(uint64_t{1}, seconds_max))
      ->type_name("TIME");
}

}  // namespace glasscase::commands
