// Where files lie that came through a tunnel: without a name, gone with their last descriptor.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include <glasscase/core/error.h>
#include <glasscase/process/fd.h>

namespace glasscase::tunnel {

class Spool {
 public:
  static constexpr uint64_t kFreeBytesMin = uint64_t{256} << 20;  // that are left to others on the disk

  // A new folder below `parent` that belongs to `user`, locked; empty ones of that user that nobody uses are
  // removed.
  static Result<Spool> Make(const std::string& parent, uid_t user);

  int folder() const { return folder_.get(); }
  // ResourceExhausted when that is more than one of so many parts of the disk's room, kFreeBytesMin left out.
  Status CheckRoom(uint64_t bytes, uint64_t parts = 1) const;
  // An empty file, read and write.
  Result<Fd> MakeFile() const;
  // Before the process ends; where it cannot, the next Make does.
  void Remove() const;

 private:
  Spool(std::string path, Fd folder) : path_(std::move(path)), folder_(std::move(folder)) {}
  std::string path_;
  Fd folder_;
};

}  // namespace glasscase::tunnel
