#include "ledger_state.h"

#include <algorithm>
#include <ranges>

#include <glasscase/ledger/entry.h>

#include "ledger_entries.h"

namespace glasscase::operations {
namespace {

constexpr size_t kWaitingMax = ledger::Log::kBatchEntriesMax;

bool IsAbout(std::string_view entry, const Uuid& id) {
  const auto content = ledger::ReadEntry(entry);
  return content && AboutOf(content->said) == id;
}

}  // namespace

std::string WordOf(std::optional<LedgerState> state) {
  if (!state) return "";
  switch (*state) {
    case LedgerState::kPending: return "pending";
    case LedgerState::kInCheckpoint: return "in_checkpoint";
    case LedgerState::kCosigned: return "cosigned";
  }
  return "";
}

Result<LedgerStates> LedgerStates::Read(catalog::Catalog& catalog, LedgerDesk& ledger) {
  LedgerStates states(ledger);
  GC_TRY(states.waiting_, catalog.Journal().Waiting(kWaitingMax, SIZE_MAX));
  states.is_all_ = states.waiting_.size() < kWaitingMax;
  return states;
}

std::vector<std::string> LedgerStates::WaitingOf(const Uuid& asset) const {
  std::vector<std::string> entries;
  for (const ledger::WaitingEntry& waiting : waiting_)
    if (std::ranges::find(waiting.assets, asset) != waiting.assets.end()) entries.push_back(waiting.entry);
  return entries;
}

LedgerState LedgerStates::OfEntry(uint64_t index) const {
  if (index < ledger_->cosigned_size()) return LedgerState::kCosigned;
  return index < ledger_->size() ? LedgerState::kInCheckpoint : LedgerState::kPending;
}

std::optional<LedgerState> LedgerStates::Of(const Uuid& asset) const {
  const auto log = ledger_->log();
  const auto indices = log ? (*log)->IndicesOf(asset) : Fail(log.error());
  if (!indices) return std::nullopt;
  if (!is_all_ || indices->empty() || !WaitingOf(asset).empty()) return LedgerState::kPending;
  return OfEntry(indices->back());
}

std::optional<LedgerState> LedgerStates::Of(const Uuid& asset, const Uuid& about) const {
  const auto of_asset = Of(asset);
  if (!of_asset || *of_asset == LedgerState::kCosigned) return of_asset;
  if (Waits(asset, about)) return LedgerState::kPending;
  return OfNewest(asset, about);
}

bool LedgerStates::Waits(const Uuid& asset, const Uuid& about) const {
  return std::ranges::any_of(WaitingOf(asset),
                             [&](const std::string& entry) { return IsAbout(entry, about); });
}

// Entries are read only where their places do not tell: below the cosigned size all are cosigned.
std::optional<LedgerState> LedgerStates::OfNewest(const Uuid& asset, const Uuid& about) const {
  const auto log = ledger_->log();
  const auto indices = log ? (*log)->IndicesOf(asset) : Fail(log.error());
  if (!indices) return std::nullopt;
  if (is_all_ && ledger_->cosigned_size() == 0 && !indices->empty() && indices->back() < (*log)->size())
    return LedgerState::kInCheckpoint;
  for (const uint64_t index : *indices | std::views::reverse) {
    if (is_all_ && OfEntry(index) == LedgerState::kCosigned) return LedgerState::kCosigned;
    if (OfEntry(index) == LedgerState::kPending) return LedgerState::kPending;  // its batch is not published
    const auto entry = (*log)->EntryAt(index);
    if (!entry) return std::nullopt;
    if (IsAbout(*entry, about)) return OfEntry(index);
  }
  return LedgerState::kPending;
}

}  // namespace glasscase::operations
