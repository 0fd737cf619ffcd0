// Reads a container's log in a thread of its own, while it is written, over as many answers as it takes.
#pragma once

#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>

#include <glasscase/process/fd.h>

#include "api_server.h"
#include "log_lines.h"

namespace glasscase::jobs {

class LogFollower {
 public:
  // `path`: "/api/v1/namespaces/…/pods/…/log?container=…".
  static Result<std::unique_ptr<LogFollower>> Begin(const ClusterAccess& access, std::string path);
  // Ends within a second.
  ~LogFollower();

  // Readable when Take has something, or when it is done.
  int ready_fd() const { return ready_.get(); }
  std::string Take();
  // What there is now is all that comes: it is read to its end, once more if need be.
  void ContainerHasEnded();
  bool IsDone() const;
  // Why the last attempt to read it failed; empty: it did not.
  std::string trouble() const;

 private:
  LogFollower(std::unique_ptr<ApiServer> server, std::string path);
  void Run(const std::stop_token& stop);
  // Whether nothing more will come.
  bool ReadOnce(const std::stop_token& stop);
  void Keep(std::string_view text, const std::stop_token& stop);
  void Signal() const;

  const std::unique_ptr<ApiServer> server_;  // the thread's
  const std::string path_;
  LogLines lines_;  // the thread's
  const Fd ready_;

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable_any changed_;
  std::string kept_;
  std::string trouble_;
  bool container_has_ended_ = false;
  bool is_done_ = false;

  std::jthread thread_;
};

}  // namespace glasscase::jobs
