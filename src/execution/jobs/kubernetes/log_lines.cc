#include "log_lines.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <utility>

namespace glasscase::jobs {
namespace {

namespace chrono = std::chrono;

constexpr size_t kTimeMax = 40;
constexpr int64_t kNanos = 1'000'000'000;

// The number that the next `digits` characters are.
std::optional<int> Number(std::string_view& text, size_t digits) {
  if (text.size() < digits) return std::nullopt;
  int number = 0;
  for (const char c : text.substr(0, digits)) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + (c - '0');
  }
  text.remove_prefix(digits);
  return number;
}
bool Skip(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<int64_t> Fraction(std::string_view& text) {
  if (!Skip(text, '.')) return 0;
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  if (digits == 0 || digits > 9) return std::nullopt;
  int64_t nanos = *Number(text, digits);
  for (size_t i = digits; i < 9; ++i) nanos *= 10;
  return nanos;
}

// Seconds that the clock there is ahead.
std::optional<int64_t> Offset(std::string_view& text) {
  if (Skip(text, 'Z')) return 0;
  const bool is_ahead = text.starts_with('+');
  if (!is_ahead && !text.starts_with('-')) return std::nullopt;
  text.remove_prefix(1);
  const auto hours = Number(text, 2);
  if (!hours || !Skip(text, ':')) return std::nullopt;
  const auto minutes = Number(text, 2);
  if (!minutes || *hours > 24 || *minutes > 59) return std::nullopt;
  return (is_ahead ? 1 : -1) * (*hours * 3600 + *minutes * 60);
}

}  // namespace

std::optional<int64_t> ParseLogTime(std::string_view text) {
  std::array<int, 6> parts{};
  constexpr std::array<std::pair<size_t, char>, 6> kForm{
      {{4, '-'}, {2, '-'}, {2, 'T'}, {2, ':'}, {2, ':'}, {2, '\0'}}};
  for (size_t i = 0; i < parts.size(); ++i) {
    const auto number = Number(text, kForm[i].first);
    if (!number || (kForm[i].second != '\0' && !Skip(text, kForm[i].second))) return std::nullopt;
    parts[i] = *number;
  }
  const chrono::year_month_day day{chrono::year(parts[0]), chrono::month(static_cast<unsigned>(parts[1])),
                                   chrono::day(static_cast<unsigned>(parts[2]))};
  // What nanoseconds in 64 bits hold.
  if (!day.ok() || parts[0] < 1970 || parts[0] > 2200 || parts[3] > 23 || parts[4] > 59 || parts[5] > 60)
    return std::nullopt;
  const auto nanos = Fraction(text);
  if (!nanos) return std::nullopt;
  const auto offset = Offset(text);
  if (!offset || !text.empty()) return std::nullopt;
  const int64_t seconds = chrono::sys_days(day).time_since_epoch().count() * int64_t{86'400} +
                          parts[3] * 3600 + parts[4] * 60 + parts[5] - *offset;
  return seconds * kNanos + *nanos;
}

void LogLines::Begin() {
  is_catching_up_ = last_.has_value();
  seen_of_last_time_ = 0;
  line_.reset();
  begun_.clear();
}

void LogLines::Take(std::string_view piece, const Pass& pass) {
  while (!piece.empty()) {
    if (!line_) {
      const size_t end = piece.find_first_of(" \n");
      begun_ += piece.substr(0, end);
      piece.remove_prefix(std::min(end, piece.size()));
      if (end == std::string_view::npos && begun_.size() <= kTimeMax) return;
      BeginLine(pass);
      // The space belongs to the time.
      if (line_has_time_ && piece.starts_with(' ')) piece.remove_prefix(1);
    }
    const size_t end = piece.find('\n');
    const size_t size = end == std::string_view::npos ? piece.size() : end + 1;
    PassOn(piece.substr(0, size), pass);
    piece.remove_prefix(size);
    if (end != std::string_view::npos) line_.reset();
  }
}

void LogLines::End(const Pass& pass) {
  // Half a time, where the answer broke off: the line comes again.
  const bool is_of_time = begun_.find_first_not_of("0123456789-T:.Z+") == std::string::npos;
  if (!line_ && !is_of_time) BeginLine(pass);
}

void LogLines::BeginLine(const Pass& pass) {
  const auto time = ParseLogTime(begun_);
  const std::string begun = std::exchange(begun_, "");
  line_has_time_ = time.has_value();
  line_ = Line{};
  skip_bytes_ = 0;
  if (!time) return PassOn(begun, pass);  // not what was asked for: as it is
  line_->time = *time;
  line_->number = last_ && last_->time == *time ? last_->number + 1 : 1;
  if (!is_catching_up_) return;
  if (*time == last_->time) ++seen_of_last_time_;
  // Later than what was last: the lines between are gone.
  const bool is_new = *time > last_->time || seen_of_last_time_ > last_->number;
  const bool is_last = *time == last_->time && seen_of_last_time_ == last_->number;
  if (is_new || is_last) is_catching_up_ = false;
  if (is_last) {
    line_->number = last_->number;
    skip_bytes_ = last_->bytes;
  } else if (!is_new) {
    skip_bytes_ = UINT64_MAX;
  }
}

void LogLines::PassOn(std::string_view text, const Pass& pass) {
  const uint64_t skipped = std::min<uint64_t>(skip_bytes_, text.size());
  const bool is_old = skip_bytes_ == UINT64_MAX;
  if (!is_old) skip_bytes_ -= skipped;
  text.remove_prefix(skipped);
  line_->bytes += skipped + text.size();
  if (!text.empty()) pass(text);
  if (!is_old && line_has_time_ &&
      (!last_ || line_->time != last_->time || line_->number != last_->number || line_->bytes > last_->bytes))
    last_ = line_;
}

std::string LogLines::since() const {
  if (!last_) return "";
  const chrono::sys_seconds time{chrono::seconds(last_->time / kNanos)};
  const chrono::sys_days days = chrono::floor<chrono::days>(time);
  const chrono::year_month_day day(days);
  const chrono::hh_mm_ss clock(time - days);
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02dZ", static_cast<int>(day.year()),
                static_cast<unsigned>(day.month()), static_cast<unsigned>(day.day()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()));
  return text.data();
}

}  // namespace glasscase::jobs
