// What is done with the blob store, in order, beside the loop where the store may wait for a network.
#pragma once

#include <deque>
#include <functional>
#include <memory>

#include <glasscase/core/error.h>
#include <glasscase/process/event_loop.h>

#include "side_job.h"

namespace glasscase::operations {

// One thread: the loop's.
class StoreWork {
 public:
  struct Task {
    std::function<bool()> begin{};              // on the loop; false: `work` is left out. None: true
    std::function<Status()> work;               // on a thread of its own
    std::function<void(const Status&)> then{};  // on the loop
  };

  // A store that never waits is used on the loop, and Do returns when all is done.
  StoreWork(process::EventLoop& loop, bool may_wait) : loop_(loop), may_wait_(may_wait) {}

  // A task begins when the one before it has ended, with its `then`: what `begin` finds in the catalog holds
  // until then for every other task of this.
  void Do(Task task);
  // Waits for what is under way; nothing more begins or ends.
  void Stop();

  bool may_wait() const { return may_wait_; }

 private:
  void StartNext();

  process::EventLoop& loop_;
  const bool may_wait_;
  bool stopped_ = false;
  std::deque<Task> waiting_;
  std::unique_ptr<SideJob> running_;
};

}  // namespace glasscase::operations
