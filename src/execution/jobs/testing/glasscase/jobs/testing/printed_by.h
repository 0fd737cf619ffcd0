// For tests: what a program prints.
#pragma once

#include <poll.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include <glasscase/jobs/child.h>

namespace glasscase::jobs::testing {

// To its end, or why it could not be started. Returns when it has ended.
inline std::string PrintedBy(const Launch& launch) {
  auto child = StartChild(launch);
  if (!child) return child.error().message();
  std::string said;
  char piece[1'024];
  pollfd wait{.fd = child->output.get(), .events = POLLIN, .revents = 0};
  for (ssize_t got = 1; got != 0 && ::poll(&wait, 1, 60'000) > 0;) {
    got = ::read(child->output.get(), piece, sizeof piece);
    if (got > 0) said.append(piece, static_cast<size_t>(got));
  }
  ::waitpid(child->pid, nullptr, 0);
  return said;
}

}  // namespace glasscase::jobs::testing
