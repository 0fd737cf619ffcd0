#include <glasscase/operations/key_entries.h>

#include "ledger_entries.h"

namespace glasscase::operations {
namespace {

std::string SettingOf(std::string_view use) { return "key_" + std::string(use); }

Status Remember(catalog::Transaction& transaction, const KeyChange& change) {
  GC_TRY_VOID(transaction.SetSetting(SettingOf(change.use), change.key));
  return transaction.Commit();
}

}  // namespace

Status EnterKey(catalog::Catalog& catalog, const KeyChange& change, int64_t now_micros) {
  GC_TRY(const auto known, catalog.Setting(SettingOf(change.use)));
  if (known == change.key) return Ok();
  EntryDraft entry("key", now_micros);
  entry.Say("use", change.use).Say("vkey", change.key);
  if (change.before) entry.After(*change.before);
  GC_TRY(const auto transaction, catalog.Begin());
  GC_TRY_VOID(entry.Queue(*transaction));
  return Remember(*transaction, change);
}

Status NoteKey(catalog::Catalog& catalog, const KeyChange& change, int64_t now_micros) {
  GC_TRY(const auto known, catalog.Setting(SettingOf(change.use)));
  if (known) return EnterKey(catalog, change, now_micros);
  GC_TRY(const auto transaction, catalog.Begin());
  return Remember(*transaction, change);
}

}  // namespace glasscase::operations
