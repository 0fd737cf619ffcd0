#include "side_job.h"

#include <utility>

namespace glasscase::operations {

SideJob::SideJob(process::EventLoop& loop, std::function<void()> work, std::function<void()> then)
    : thread_([&loop, work = std::move(work), then = std::move(then), alive = std::weak_ptr(alive_)] {
        work();
        loop.Post([then, alive] {
          if (!alive.expired()) then();
        });
      }) {}

SideJob::~SideJob() { thread_.join(); }

}  // namespace glasscase::operations
