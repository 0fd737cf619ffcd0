// Compares every file of a log with what its entries give: a changed byte anywhere is found and named.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include <glasscase/ledger/checkpoint.h>
#include <glasscase/ledger/files.h>
#include <glasscase/ledger/note.h>

namespace glasscase::ledger {

struct FileCheck {
  // What is wrong with which file.
  std::function<void(std::string_view path, std::string_view what)> problem;
  // Each entry, in order, with its leaf hash; as far as the bundles can be read.
  std::function<void(uint64_t index, std::string_view entry, const Hash& leaf)> entry;
};

// Reads the checkpoint, every entry bundle and every tile that a log of its size has. Gives the checkpoint,
// also when there were problems; an error only when there is no checkpoint to compare with.
Result<Checkpoint> CheckLogFiles(const LogFiles& files, const NoteVerifier& verifier, const FileCheck& check);

// A tile or bundle that a wider one has replaced: readers of an older checkpoint may still ask for it. Tells
// `problem` when it is not the beginning of the one that replaced it. `path` belongs to a log of that size.
Status CheckOlderFile(const LogFiles& files, std::string_view path, uint64_t size, const FileCheck& check);

// Whether a file that is there belongs to a log of that size: one of its tiles, or the beginning of one.
bool BelongsToLog(std::string_view path, uint64_t size);

}  // namespace glasscase::ledger
