// How far acts have come in the ledger (api/grpc/control.proto, ledger_state).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <glasscase/catalog/catalog.h>
#include <glasscase/ledger/journal.h>

#include "ledger_desk.h"

namespace glasscase::operations {

// In the order in which an act goes through them.
enum class LedgerState : uint8_t { kPending, kInCheckpoint, kCosigned };

// As of one moment, for one answer: what waits is read once.
class LedgerStates {
 public:
  static Result<LedgerStates> Read(catalog::Catalog& catalog, LedgerDesk& ledger);

  // Of all acts on an asset, and of those on one version or grant of it: of several, the one that has come
  // least far. nullopt while the log is not open or cannot be read.
  std::optional<LedgerState> Of(const Uuid& asset) const;
  std::optional<LedgerState> Of(const Uuid& asset, const Uuid& about) const;
  LedgerState OfEntry(uint64_t index) const;

  // The entries of an asset that are not published yet, in the order of their acts.
  std::vector<std::string> WaitingOf(const Uuid& asset) const;
  size_t waiting() const { return waiting_.size(); }

 private:
  explicit LedgerStates(LedgerDesk& ledger) : ledger_(&ledger) {}
  bool Waits(const Uuid& asset, const Uuid& about) const;
  std::optional<LedgerState> OfNewest(const Uuid& asset, const Uuid& about) const;

  LedgerDesk* ledger_;
  std::vector<ledger::WaitingEntry> waiting_;
  bool is_all_ = true;  // that waits
};

// The words of answers; "" for nullopt.
std::string WordOf(std::optional<LedgerState> state);

}  // namespace glasscase::operations
