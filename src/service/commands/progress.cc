#include "progress.h"

#include <algorithm>
#include <iostream>
#include <utility>

#include "text.h"

namespace glasscase::commands {
namespace {

constexpr std::chrono::milliseconds kBetweenDrawings{100};
constexpr size_t kBarWidth = 24;

double SecondsSince(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

Progress::Progress(const Console& console, std::string what, uint64_t total)
    : enabled_(console.shows_progress()),
      what_(std::move(what)),
      total_(total),
      begin_(std::chrono::steady_clock::now()) {}

Progress::~Progress() { Hide(); }

void Progress::Hide() {
  if (std::exchange(drawn_, false)) std::cerr << "\r\x1b[K" << std::flush;
  last_drawn_ = {};
}

bool Progress::IsDue() {
  if (!enabled_) return false;
  const auto now = std::chrono::steady_clock::now();
  if (now - last_drawn_ < kBetweenDrawings) return false;
  last_drawn_ = now;
  return true;
}

std::string Progress::Bar(uint64_t done) const {
  const double share =
      total_ == 0 ? 1.0 : std::min(1.0, static_cast<double>(done) / static_cast<double>(total_));
  const auto filled = static_cast<size_t>(share * kBarWidth);
  return what_ + " [" + std::string(filled, '#') + std::string(kBarWidth - filled, ' ') + "] " +
         std::to_string(static_cast<int>(share * 100)) + " %";
}

void Progress::Show(uint64_t done) {
  if (!IsDue()) return;
  const double seconds = SecondsSince(begin_);
  const double rate = seconds > 0 ? static_cast<double>(done - std::min(done, skipped_)) / seconds : 0;
  std::string line = Bar(done) + "  " + FormatBytes(done) + " of " + FormatBytes(total_);
  if (seconds > 0.5 && rate > 0) {
    line += "  " + FormatBytes(static_cast<uint64_t>(rate)) + "/s  " + Left(done, rate);
  }
  Draw(line);
}

void Progress::ShowCount(uint64_t done) {
  if (!IsDue()) return;
  const double seconds = SecondsSince(begin_);
  const double rate = seconds > 0 ? static_cast<double>(done) / seconds : 0;
  Draw(seconds > 0.5 && rate > 0 ? Bar(done) + "  " + Left(done, rate) : Bar(done));
}

std::string Progress::Left(uint64_t done, double rate) const {
  return FormatSeconds(static_cast<double>(total_ - std::min(done, total_)) / rate) + " left";
}

void Progress::ShowElapsed() {
  const double seconds = SecondsSince(begin_);
  if (seconds < 0.5 || !IsDue()) return;
  Draw(what_ + " ... " + FormatSeconds(seconds));
}

void Progress::Draw(const std::string& line) {
  std::cerr << "\r" << line << "\x1b[K" << std::flush;
  drawn_ = true;
}

}  // namespace glasscase::commands
