// One line on a terminal that says how far something is.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "console.h"

namespace glasscase::commands {

// Draws at most ten times a second, nothing where no terminal reads, and leaves no trace behind.
class Progress {
 public:
  Progress(const Console& console, std::string what, uint64_t total);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `done` of the total, in bytes: draws amount, share, rate and time left.
  void Show(uint64_t done);
  // As Show, where what is counted is not bytes.
  void ShowCount(uint64_t done);
  // So much was there before: it counts for the share, not for the rate.
  void Skip(uint64_t bytes) { skipped_ += bytes; }
  // For work without measure: draws the time since the start.
  void ShowElapsed();
  // Another word for what is done now; amount and time go on.
  void SetWhat(std::string what) { what_ = std::move(what); }
  // Until it is drawn the next time.
  void Hide();

 private:
  bool IsDue();
  std::string Bar(uint64_t done) const;
  std::string Left(uint64_t done, double rate) const;
  void Draw(const std::string& line);

  const bool enabled_;
  std::string what_;
  const uint64_t total_;
  const std::chrono::steady_clock::time_point begin_;
  std::chrono::steady_clock::time_point last_drawn_{};
  bool drawn_ = false;
  uint64_t skipped_ = 0;
};

}  // namespace glasscase::commands
