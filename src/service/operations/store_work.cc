#include "store_work.h"

#include <utility>

namespace glasscase::operations {

void StoreWork::Do(Task task) {
  if (may_wait_) {
    waiting_.push_back(std::move(task));
    return StartNext();
  }
  const Status done = !task.begin || task.begin() ? task.work() : Ok();
  if (task.then) task.then(done);
}

void StoreWork::StartNext() {
  if (running_ || stopped_ || waiting_.empty()) return;
  const auto task = std::make_shared<Task>(std::move(waiting_.front()));
  waiting_.pop_front();
  const auto done = std::make_shared<Status>();
  const bool begun = !task->begin || task->begin();
  running_ = std::make_unique<SideJob>(
      loop_,
      [task, done, begun] {
        if (begun) *done = task->work();
      },
      [this, task, done] {
        if (task->then) task->then(*done);  // what it asks for waits until it is over
        running_.reset();
        StartNext();
      });
}

void StoreWork::Stop() {
  stopped_ = true;
  waiting_.clear();
  running_.reset();
}

}  // namespace glasscase::operations
