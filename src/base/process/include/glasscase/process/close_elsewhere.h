// Closes descriptors that came from a process which is not trusted.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include <glasscase/process/fd.h>

namespace glasscase::process {

// On a thread of its own, and returns at once. Whoever made the file decides how long its closing takes: a
// socket that lingers, a file of a file system that answers when it likes (FUSE). Where many closings hang
// already, the others wait for those: descriptors are kept then, and nobody else waits. Any thread.
void CloseElsewhere(std::vector<Fd> fds);

// Descriptors until they are taken out; one that is not is closed elsewhere.
class ForeignFds {
 public:
  explicit ForeignFds(std::vector<Fd> fds) : fds_(std::move(fds)) {}
  ~ForeignFds() { CloseElsewhere(std::move(fds_)); }
  ForeignFds(ForeignFds&& other) noexcept : fds_(other.Take()) {}
  ForeignFds& operator=(ForeignFds&&) = delete;

  bool empty() const { return fds_.empty(); }
  size_t size() const { return fds_.size(); }
  std::vector<Fd> Take() { return std::exchange(fds_, {}); }

 private:
  std::vector<Fd> fds_;
};

// One that is closed elsewhere with its last owner.
std::shared_ptr<Fd> ShareForeign(Fd fd);

}  // namespace glasscase::process
