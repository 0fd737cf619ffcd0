// The files of a log in memory.
#pragma once

#include <cerrno>
#include <map>
#include <string>

#include <glasscase/ledger/files.h>

namespace glasscase::ledger::testing {

class MemoryFiles final : public LogFiles {
 public:
  std::map<std::string, std::string, std::less<>> files;
  std::map<std::string, std::string, std::less<>> durable;  // what a power cut leaves
  bool fails = false;
  std::string unreadable;  // the path of a file that the disk has lost

  Result<std::optional<std::string>> Read(std::string_view path) const override {
    if (!unreadable.empty() && path == unreadable)
      return Fail(Error::FromErrno(EIO, "cannot read the log's file " + unreadable));
    const auto found = files.find(path);
    if (found == files.end()) return std::nullopt;
    return found->second;
  }
  Status Write(std::string_view path, std::string_view bytes) override {
    if (fails) return Fail(Error::ResourceExhausted("the disk is full"));
    files[std::string(path)] = bytes;
    return Ok();
  }
  Status RemovePartials(const Tile& full) override {
    const std::string folder = TilePath(full) + ".p/";
    std::erase_if(files, [&](const auto& file) { return file.first.starts_with(folder); });
    return Ok();
  }
  Status Sync(const std::vector<std::string>& paths) override {
    if (fails) return Fail(Error::ResourceExhausted("the disk is full"));
    for (const std::string& path : paths) durable[path] = files.at(path);
    return Ok();
  }
  Status SyncAll() override {
    durable = files;
    return Ok();
  }
};

}  // namespace glasscase::ledger::testing
