// ^C and SIGTERM while something is under way that must be undone.
#pragma once

namespace glasscase::commands {

// While one lives, SIGINT and SIGTERM set the flag instead of ending the process; a second one ends it.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;
};

bool Interrupted();
// Lets what undoes the work speak to the server again.
void ForgetInterrupt();

}  // namespace glasscase::commands
