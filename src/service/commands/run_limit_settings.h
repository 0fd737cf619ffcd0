// What one run may ask for at most, as `glasscase serve` is told. Workers hold it; here it is only passed on.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <CLI/App.hpp>

namespace glasscase::commands {

// 0: as workers have it.
struct RunLimitSettings {
  uint32_t slots = 0;  // runs at once on a worker
  uint32_t cpus = 0, processes = 0;
  uint64_t memory_bytes = 0, disk_bytes = 0, wall_s = 0;
};

void DeclareRunLimitOptions(CLI::App& command, RunLimitSettings& settings);

// Words for glasscase-worker.
std::vector<std::string> RunLimitArguments(const RunLimitSettings& settings);

}  // namespace glasscase::commands
