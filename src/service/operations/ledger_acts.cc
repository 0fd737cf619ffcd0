// The ledger, read: its files, receipts, histories.
#include <glasscase/ledger/log.h>

#include "ledger_entries.h"
#include "ledger_state.h"
#include "routes.h"

namespace glasscase::operations {
Result<Outcome> ReadLogFile(Workplace& place, Act& act) {
  const std::string& path = act.request.log_file().path();
  const bool is_checkpoint = path == ledger::kCheckpointPath;
  const auto tile = ledger::ParseTilePath(path);
  act.permitted = true;  // readable for everybody, and not an act
  if (!is_checkpoint && !tile) return Fail(Error::NotFound("the log has no such file"));
  GC_TRY(auto bytes, place.desk.log_files.Read(path));
  // A partial tile may have been dropped when the full one came: it is its beginning.
  if (!bytes && tile && !tile->IsFull() && !tile->entries) {
    ledger::Tile full = *tile;
    full.width = ledger::kTileWidth;
    GC_TRY(bytes, place.desk.log_files.Read(ledger::TilePath(full)));
    if (bytes) bytes->resize(tile->width * sizeof(ledger::Hash));
  }
  if (!bytes) return Fail(Error::NotFound("the log has no such file"));
  Outcome outcome;
  rpc::LogFileAnswer* answer = outcome.answer.mutable_log_file();
  answer->set_data(std::move(*bytes));
  answer->set_immutable(!is_checkpoint);
  return outcome;
}

Result<Outcome> GiveReceipt(Workplace& place, Act& act) {
  Desk& desk = place.desk;
  GC_TRY(const NamedModel named, FindModel(desk, act, act.request.receipt().model()));
  GC_TRY(const catalog::Version version, FindVisibleVersion(desk, act, named));
  GC_TRY_VOID(desk.Permit(act));
  desk.ledger.PublishNow();
  GC_TRY(ledger::Log * log, desk.ledger.log());
  GC_TRY(const uint64_t index, desk.ledger.FindVersionEntry(named.model.id, version.id));
  GC_TRY(ledger::Receipt receipt, log->ReceiptFor(index));
  GC_TRY(const std::string entry, log->EntryAt(index));
  GC_TRY(const ledger::Disclosure disclosure,
         Disclose(entry, named.model.secret,
                  {{"label", version.label}, {"name", named.FullName()}, {"sha256", ToHex(version.sha256)}}));
  GC_TRY(receipt.extra, disclosure.ToString());
  Outcome outcome;
  rpc::ReceiptAnswer* answer = outcome.answer.mutable_receipt();
  answer->set_receipt(receipt.ToString());
  answer->set_name(named.FullName());
  answer->set_version(version.label);
  answer->set_sha256(ToHex(version.sha256));
  return outcome;
}

Result<Outcome> GiveHistory(Workplace& place, Act& act) {
  Desk& desk = place.desk;
  GC_TRY(const NamedModel named, FindModel(desk, act, act.request.history().model()));
  GC_TRY_VOID(desk.Permit(act));
  desk.ledger.PublishNow();
  GC_TRY(ledger::Log * log, desk.ledger.log());
  GC_TRY(const ledger::Log::History history, desk.ledger.HistoryOf(named.model.id));
  Outcome outcome;
  rpc::HistoryAnswer* answer = outcome.answer.mutable_history();
  answer->set_asset(named.model.id.ToString());
  answer->set_name(named.FullName());
  GC_TRY(const LedgerStates states, LedgerStates::Read(desk.catalog, desk.ledger));
  for (const uint64_t index : history.indices) {
    rpc::HistoryEntry* entry = answer->add_entries();
    entry->set_ledger_state(WordOf(states.OfEntry(index)));
    entry->set_index(static_cast<int64_t>(index));
    GC_TRY(*entry->mutable_entry(), log->EntryAt(index));
  }
  for (const ledger::Hash& sibling : history.proof.siblings) answer->add_siblings(ToBase64(sibling));
  answer->set_map_receipt(history.map_receipt.ToString());
  answer->set_pending(static_cast<uint32_t>(states.waiting()));
  for (std::string& entry : states.WaitingOf(named.model.id)) answer->add_waiting(std::move(entry));
  return outcome;
}

}  // namespace glasscase::operations
