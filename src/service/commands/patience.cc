#include "patience.h"

#include <algorithm>
#include <thread>

#include "interrupt.h"
#include "text.h"

namespace glasscase::commands {

void Patience::Progressed() {
  next_ = kFirst;
  last_progress_ = Clock::now();
  said_ = false;
}

bool Patience::MayPass(const Error& error) {
  return error.code() == Code::kUnavailable || error.code() == Code::kDeadlineExceeded;
}

Status Patience::WaitAfter(const Error& error) {
  if (Clock::now() - last_progress_ > kInAll) return Fail(error);
  if (!said_) console_.Note("the connection broke; trying again: " + Visible(error.message()));
  said_ = true;
  const auto until = Clock::now() + next_;
  next_ = std::min(next_ * 2, kLongest);
  while (Clock::now() < until) {
    if (Interrupted()) return Fail(Error(Code::kCancelled, "interrupted"));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return Ok();
}

}  // namespace glasscase::commands
