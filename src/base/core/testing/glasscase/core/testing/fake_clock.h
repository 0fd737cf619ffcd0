// A clock that moves only when told to.
#pragma once

#include <atomic>

#include <glasscase/core/clock.h>

namespace glasscase::testing {

class FakeClock final : public Clock {
 public:
  int64_t WallMicros() const override { return wall_micros_; }
  int64_t MonotonicNanos() const override { return monotonic_nanos_; }
  void AdvanceSeconds(double seconds) {
    wall_micros_ += static_cast<int64_t>(seconds * 1e6);
    monotonic_nanos_ += static_cast<int64_t>(seconds * 1e9);
  }

 private:
  std::atomic<int64_t> wall_micros_{1'790'000'000'000'000};
  std::atomic<int64_t> monotonic_nanos_{1'000'000'000'000};
};

}  // namespace glasscase::testing
