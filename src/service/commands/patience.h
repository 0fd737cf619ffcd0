// How often, and after how long, something is tried again over a connection that breaks.
#pragma once

#include <chrono>

#include <glasscase/core/error.h>

#include "console.h"

namespace glasscase::commands {

// Waits longer each time: from a fifth of a second to ten seconds. Given up two minutes after the last
// progress.
class Patience {
 public:
  explicit Patience(const Console& console) : console_(console) {}

  // Something went forward since the last failure.
  void Progressed();
  // True for failures of the connection or of a server that is restarting.
  static bool MayPass(const Error& error);
  // Says why and waits. `error` again when it is given up, Cancelled when it is interrupted.
  Status WaitAfter(const Error& error);

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds kFirst{200};
  static constexpr std::chrono::milliseconds kLongest{10'000};
  static constexpr std::chrono::seconds kInAll{120};

  const Console& console_;
  std::chrono::milliseconds next_ = kFirst;
  Clock::time_point last_progress_ = Clock::now();
  bool said_ = false;
};

}  // namespace glasscase::commands
