// Entries that say with which keys an installation signs (api/formats/ledger-entry.md, type `key`).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <glasscase/catalog/catalog.h>
#include <glasscase/ledger/checkpoint.h>

namespace glasscase::operations {

struct KeyChange {
  std::string_view use;                        // "log", "signing"
  std::string key;                             // its public half, as text
  std::optional<ledger::Checkpoint> before{};  // of `log`: the last that was signed with the one before
};

// Queues the entry and remembers the key, in one transaction; nothing when it is the one of last time.
Status EnterKey(catalog::Catalog& catalog, const KeyChange& change, int64_t now_micros);
// As EnterKey, but the first one is remembered without an entry: nothing has changed.
Status NoteKey(catalog::Catalog& catalog, const KeyChange& change, int64_t now_micros);

}  // namespace glasscase::operations
