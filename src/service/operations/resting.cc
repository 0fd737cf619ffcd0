#include "resting.h"

#include <algorithm>

namespace glasscase::operations {

int64_t Resting::RestMs(uint32_t faults) {
  if (faults == 0) return 0;
  const uint32_t doublings = std::min<uint32_t>(faults - 1, 16);
  return std::min(kFirstRestMs << doublings, kRestMsMax);
}

void Resting::NoteFault(const PeerId& who, int64_t now_ms, std::string why) {
  Faults& faults = faults_[who];
  ++faults.in_a_row;
  faults.until_ms = now_ms + RestMs(faults.in_a_row);
  faults.why = std::move(why);
}

bool Resting::Rests(const PeerId& who, int64_t now_ms) const {
  const auto found = faults_.find(who);
  return found != faults_.end() && found->second.until_ms > now_ms;
}

bool Resting::IsSuspect(const PeerId& who) const {
  const auto found = faults_.find(who);
  return found != faults_.end() && found->second.in_a_row >= kSuspectFrom;
}

int64_t Resting::NextMs(int64_t now_ms) const {
  int64_t next = 0;
  for (const auto& [who, faults] : faults_)
    if (faults.until_ms > now_ms && (next == 0 || faults.until_ms - now_ms < next))
      next = faults.until_ms - now_ms;
  return next;
}

std::string Resting::TextOf(const PeerId& who, int64_t now_ms) const {
  const auto found = faults_.find(who);
  if (found == faults_.end()) return {};
  const auto& [in_a_row, until_ms, why] = found->second;
  std::string text = "failed " + (in_a_row == 1 ? "once" : std::to_string(in_a_row) + " times in a row");
  if (until_ms > now_ms) text += " and rests for " + std::to_string((until_ms - now_ms + 999) / 1000) + " s";
  return text + ": " + why;
}

}  // namespace glasscase::operations
