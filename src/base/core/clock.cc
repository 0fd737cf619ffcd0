#include <glasscase/core/clock.h>

#include <ctime>

namespace glasscase {
namespace {
int64_t Read(clockid_t id, int64_t ticks_per_second) {
  timespec now{};
  clock_gettime(id, &now);
  return now.tv_sec * ticks_per_second + now.tv_nsec / (1'000'000'000 / ticks_per_second);
}
}  // namespace

int64_t SystemClock::WallMicros() const { return Read(CLOCK_REALTIME, 1'000'000); }
int64_t SystemClock::MonotonicNanos() const { return Read(CLOCK_MONOTONIC, 1'000'000'000); }

std::string FormatTime(int64_t wall_micros) {
  const time_t seconds = wall_micros / 1'000'000;
  tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  const size_t length = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return {text, length};
}

}  // namespace glasscase
