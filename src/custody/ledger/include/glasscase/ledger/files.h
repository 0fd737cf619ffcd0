// The files of a log as the world sees them: `checkpoint`, tiles and entry bundles (C2SP tlog-tiles).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <glasscase/ledger/tile.h>

namespace glasscase::ledger {

inline constexpr std::string_view kCheckpointPath = "checkpoint";

// One thread, except where said. Functions fail with ResourceExhausted when there is no room.
class LogFiles {
 public:
  virtual ~LogFiles() = default;

  // nullopt when there is no such file. Paths are those of tiles, or kCheckpointPath.
  virtual Result<std::optional<std::string>> Read(std::string_view path) const = 0;
  // A reader sees the old file or the new one, never a part. Durable after Sync or SyncAll.
  virtual Status Write(std::string_view path, std::string_view bytes) = 0;
  // Drops the partial tiles that a full one replaces. Any thread.
  virtual Status RemovePartials(const Tile& full) = 0;
  // These files are durable, with their names and folders. Any thread.
  virtual Status Sync(const std::vector<std::string>& paths) = 0;
  // All that was written.
  virtual Status SyncAll() = 0;
};

}  // namespace glasscase::ledger
