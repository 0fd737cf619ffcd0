// How soon a process that died is started again. Private.
#pragma once

#include <algorithm>
#include <cstdint>

namespace glasscase::supervision {

// At once, unless it dies within a second of its start again and again: then after 10, 20, 40 ... 500 ms.
// Being killed from outside is not its fault and starts the count anew. Restarts are never given up.
class RestartPace {
 public:
  int64_t DelayMillis(int64_t lived_ms, bool killed_from_outside) {
    if (killed_from_outside || lived_ms >= kShortLifeMillis) {
      early_deaths_ = 0;
      return 0;
    }
    ++early_deaths_;
    if (early_deaths_ == 1) return 0;
    return std::min<int64_t>(kDelayMillisMax, kDelayMillisMin << std::min(early_deaths_ - 2, 10));
  }

 private:
  static constexpr int64_t kShortLifeMillis = 1000;
  static constexpr int64_t kDelayMillisMin = 10;
  static constexpr int64_t kDelayMillisMax = 500;
  int early_deaths_ = 0;
};

}  // namespace glasscase::supervision
