// Work that takes longer than the custodian's one thread may be held up, on a thread of its own.
#pragma once

#include <functional>
#include <memory>
#include <thread>

#include <glasscase/process/event_loop.h>

namespace glasscase::operations {

// `work` runs on the thread; `then` afterwards on the loop's, unless this is gone by then. The destructor
// waits for `work`, which therefore has to end soon once it is told to.
class SideJob {
 public:
  SideJob(process::EventLoop& loop, std::function<void()> work, std::function<void()> then);
  ~SideJob();
  SideJob(const SideJob&) = delete;
  SideJob& operator=(const SideJob&) = delete;

 private:
  // Only the loop's thread looks at it.
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
  std::thread thread_;
};

}  // namespace glasscase::operations
