// The seat of the one custodian that writes, of several over one database.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <glasscase/catalog_postgres/postgres_catalog.h>
#include <glasscase/core/clock.h>
#include <glasscase/core/error.h>

#include "stores.h"

namespace glasscase::custodian {

// A holder acts for kProvedMs on the word of the server, and edges and hosts for kLeaseMs on the word of the
// holder. So whoever comes after a holder that ended without a word begins kLapseMs later; one that only
// stood still loses the seat after catalog::kWriterStillMs, which is longer.
//
// Without a shared catalog the seat is always held. One thread; `stores` and `clock` outlive it.
class Seat {
 public:
  static constexpr int64_t kProvedMs = 2'000;
  static constexpr int64_t kLeaseMs = 5'000;  // operations::TablePusher::kLeaseNs
  static constexpr int64_t kLapseMs = kProvedMs + kLeaseMs;
  static_assert(kLapseMs < catalog::kWriterStillMs);

  Seat(const Stores& stores, const Clock& clock);
  // Gives it up.
  ~Seat();

  bool shared() const { return shared_; }
  // False when another one has it.
  Result<bool> TryToTake();
  // Whether the server said so within kProvedMs; else it is asked now. A lost connection is made again.
  bool Holds();
  // Asks the server now.
  void Prove();
  // Another one has it now: this custodian may only end.
  bool taken_over() const { return taken_over_; }

 private:
  const Stores& stores_;
  const Clock& clock_;
  const bool shared_;
  std::unique_ptr<catalog::WriterLock> lock_;
  int64_t proved_ns_ = 0;
  bool taken_over_ = false;
  std::string complaint_;
};

}  // namespace glasscase::custodian
