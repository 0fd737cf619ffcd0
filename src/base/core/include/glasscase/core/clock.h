// Time comes in by constructor, so that tests can hold it.
#pragma once

#include <cstdint>
#include <string>

namespace glasscase {

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  // Microseconds since 1970-01-01T00:00:00Z.
  virtual int64_t WallMicros() const = 0;
  // Nanoseconds of CLOCK_MONOTONIC: comparable between processes of one machine, never set back.
  virtual int64_t MonotonicNanos() const = 0;
};

class SystemClock final : public Clock {
 public:
  int64_t WallMicros() const override;
  int64_t MonotonicNanos() const override;
};

// "2026-11-20T23:36:43Z" (RFC 3339, UTC, whole seconds).
std::string FormatTime(int64_t wall_micros);

}  // namespace glasscase
