// The ledger, read: its files, receipts, histories.
#include <map>

#include <glasscase/crypto/sha256.h>
#include <glasscase/ledger/log.h>

#include "ledger_entries.h"
#include "ledger_state.h"
#include "routes.h"

namespace glasscase::operations {
namespace {

// An entry about a version, with what of it is opened.
struct Opened {
  uint64_t index = 0;
  std::map<std::string, std::string> values;
};

Result<Opened> OpenRunEntry(Desk& desk, const Act& act, const NamedModel& named,
                            const catalog::Version& version, const std::string& type) {
  GC_TRY(const auto runs, desk.catalog.ListRuns({.result = version.id, .limit = 1}));
  const std::string made = runs.empty() ? "" : runs[0].translates.IsNil() ? "run" : "translation";
  if (made != type)
    return Fail(
        Error::NotFound(named.FullName() + "@" + version.label + " was not made by a " + type + " of ours"));
  Opened opened;
  GC_TRY(opened.index, desk.ledger.FindEntry(type, named.model.id, version.id));
  if (type == "translation") {
    opened.values = {{"report", ToHex(Sha256(AsBytes(runs[0].evidence)))}};
  } else if (named.owner.id == act.caller->id) {
    opened.values = {{"outcome", "succeeded"},
                     {"recipe", ToHex(runs[0].recipe_sha256)},
                     {"report", ToHex(Sha256(AsBytes(runs[0].record)))},
                     {"result", ToHex(version.manifest_digest)}};
  }
  return opened;
}

Result<Opened> OpenEntry(Desk& desk, const Act& act, const NamedModel& named,
                         const catalog::Version& version) {
  const std::string& of = act.request.receipt().of();
  if (of == "run" || of == "translation") return OpenRunEntry(desk, act, named, version, of);
  if (!of.empty() && of != "version")
    return Fail(Error::InvalidArgument("of must be version, run or translation"));
  Opened opened{
      .values = {{"label", version.label}, {"name", named.FullName()}, {"sha256", ToHex(version.sha256)}}};
  GC_TRY(opened.index, desk.ledger.FindVersionEntry(named.model.id, version.id));
  return opened;
}

}  // namespace

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
  GC_TRY(const Opened opened, OpenEntry(desk, act, named, version));
  GC_TRY(ledger::Receipt receipt, log->ReceiptFor(opened.index));
  GC_TRY(const std::string entry, log->EntryAt(opened.index));
  GC_TRY(const ledger::Disclosure disclosure, Disclose(entry, named.model.secret, opened.values));
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
