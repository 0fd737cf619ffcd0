// Rebuilds the files of a log out of each other and of the journal. What is written is proved first: the
// leaves give the root of the signed checkpoint, or of the head that the journal has committed to.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <glasscase/ledger/files.h>
#include <glasscase/ledger/journal.h>
#include <glasscase/ledger/note.h>

namespace glasscase::ledger {

struct RepairOptions {
  std::vector<std::string> paths;  // of the files that are there
  // What was done to which file, and what could not be and who can do it.
  std::function<void(std::string_view path, std::string_view what)> repaired;
  std::function<void(std::string_view path, std::string_view what)> left;
};

// Writes tiles and entry bundles that are missing or wrong. Never makes an entry that was not one, and signs
// only the journal's head, as a start after a crash does: only when the checkpoint is missing or unreadable
// and no file is of a longer log. Nobody else may use the log meanwhile. Fails as files and journal do.
Status RepairLogFiles(LogFiles& files, const Journal& journal, const NoteSigner& signer,
                      const RepairOptions& options);

}  // namespace glasscase::ledger
