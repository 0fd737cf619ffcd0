// What a witness remembers, in a folder:
//
//   logs/<hex SHA-256(origin)>/checkpoint       what it signed last, as it signed it
//   evidence/<hex SHA-256(origin)>/<NAME>/      two checkpoints of a log that do not go together: `known` and
//                                               `other`; NAME is `unproved`, or for a split view a digest
#pragma once

#include <memory>

#include <glasscase/ledger/witness.h>
#include <glasscase/process/fd.h>

namespace glasscase::ledger {

// `folder` is opened for searching (O_RDONLY | O_DIRECTORY). Aborted when another process has it: two
// witnesses with one key would not know what the other one signs.
Result<std::unique_ptr<WitnessState>> OpenWitnessFolder(Fd folder);

}  // namespace glasscase::ledger
