#include "run_limit_settings.h"

#include <utility>

#include <CLI/CLI.hpp>

#include "time_option.h"

namespace glasscase::commands {

void DeclareRunLimitOptions(CLI::App& command, RunLimitSettings& settings) {
  command.add_option("--run-slots", settings.slots, "Runs at once on each worker (default: 1)")
      ->check(CLI::Range(1, 64))
      ->type_name("N");
  command
      .add_option("--run-cpus", settings.cpus, "The most processors that a run may ask for (default: all)")
      ->check(CLI::Range(1, 1'024))
      ->type_name("N");
  command
      .add_option("--run-processes", settings.processes,
                  "The same of processes and threads at one time (default: 256)")
      ->check(CLI::Range(1, 65'536))
      ->type_name("N");
  command.add_option("--run-memory", settings.memory_bytes, "The same of memory (default: 8G)")
      ->transform(CLI::AsSizeValue(false))
      ->type_name("SIZE");
  command.add_option("--run-disk", settings.disk_bytes, "The same of disk for its results (default: 32G)")
      ->transform(CLI::AsSizeValue(false))
      ->type_name("SIZE");
  AddTimeOption(command, "--run-time", settings.wall_s, "The same of time (default: 1d)", 30 * kSecondsOfDay);
}

std::vector<std::string> RunLimitArguments(const RunLimitSettings& settings) {
  std::vector<std::string> arguments;
  for (const auto& [option, value] : {std::pair<const char*, uint64_t>{"--slots=", settings.slots},
                                      {"--cpus=", settings.cpus},
                                      {"--processes=", settings.processes},
                                      {"--memory=", settings.memory_bytes},
                                      {"--disk=", settings.disk_bytes},
                                      {"--wall-s=", settings.wall_s}})
    if (value > 0) arguments.push_back(option + std::to_string(value));
  return arguments;
}

}  // namespace glasscase::commands
