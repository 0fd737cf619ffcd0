#include "seat.h"

#include <utility>

#include <glasscase/core/log.h>

namespace glasscase::custodian {

Seat::Seat(const Stores& stores, const Clock& clock)
    : stores_(stores), clock_(clock), shared_(!stores.settings().IsCatalogLocal()) {}

Seat::~Seat() = default;

// What counts is when the server was asked, not when it answered.
Result<bool> Seat::TryToTake() {
  const int64_t asked_ns = clock_.MonotonicNanos();
  GC_TRY(lock_, stores_.TryToBecomeWriter());
  if (lock_) proved_ns_ = asked_ns;
  return lock_ != nullptr;
}

bool Seat::Holds() {
  if (!shared_) return true;
  const auto fresh = [this] {
    return lock_ != nullptr && clock_.MonotonicNanos() - proved_ns_ < kProvedMs * 1'000'000;
  };
  if (!fresh()) Prove();
  return fresh();
}

void Seat::Prove() {
  if (!shared_ || taken_over_) return;
  const int64_t asked_ns = clock_.MonotonicNanos();
  if (lock_ && lock_->Check()) {
    proved_ns_ = asked_ns;
    return complaint_.clear();
  }
  lock_.reset();
  const auto taken = TryToTake();
  if (taken) {
    taken_over_ = !*taken;
    return complaint_.clear();
  }
  if (complaint_ != taken.error().message()) LogWarning("the catalog's database: " + taken.error().message());
  complaint_ = taken.error().message();
}

}  // namespace glasscase::custodian
