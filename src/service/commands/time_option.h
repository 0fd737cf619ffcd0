// An option that is a time with its unit: 90s, 5m, 24h, 7d.
#pragma once

#include <cstdint>
#include <string>

#include <CLI/App.hpp>

namespace glasscase::commands {

inline constexpr uint64_t kSecondsOfDay = 86'400;

// From a second on.
void AddTimeOption(CLI::App& command, const std::string& name, uint64_t& seconds, const std::string& help,
                   uint64_t seconds_max);

}  // namespace glasscase::commands
