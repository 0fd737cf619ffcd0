// Watches a started job until nothing of it is left. For executors.
#pragma once

#include <sys/types.h>

#include <functional>

#include <glasscase/jobs/child.h>
#include <glasscase/jobs/executor.h>
#include <glasscase/jobs/job_cgroup.h>

namespace glasscase::jobs {

// How the processes of an executor's sandbox are told from the job's own, and how all of them are ended.
struct Sandbox {
  unsigned own_depth = 0;                       // in the tree below the child: from here on it is the job
  std::function<void()> kill;                   // at once; called again while something is left
  std::function<bool()> ended;                  // nothing is left, besides the child itself
  const JobCgroup& cgroup = JobCgroup::None();  // that the child is in
  bool shows_files =
      true;  // false: a program of ours that hides itself, and is held to its files by its rights
};

inline constexpr int kWatchEveryMs = 50;

// Reads what it prints, holds it to disk, time and, where no cgroup does, to memory, ends it with SIGTERM and
// after the grace with `kill`. The child is reaped. What the ending is by the exit code alone is left to the
// caller: kSucceeded for 0, kFailed otherwise.
JobEnd Supervise(Child child, const Job& job, const Sandbox& sandbox, JobWatcher& watcher);

}  // namespace glasscase::jobs
