// Rights that the kernel takes from one thread only, taken from all. Private to confine.cc.
#pragma once

#include <glasscase/core/error.h>
#include <glasscase/process/fd.h>

namespace glasscase::process {

class EveryThread {
 public:
  EveryThread();  // before the root directory changes: it opens /proc/self/task

  // Threads of this process, the calling one included; 1 when /proc is missing.
  int Count() const;

  // Runs `act`, which must be async-signal-safe and gives 0 or an errno value, in the calling thread and, by
  // a signal, in each other one. Fails when it fails in one of them, or when one does not answer.
  Status Run(int (*act)()) const;

 private:
  Fd tasks_;
};

}  // namespace glasscase::process
