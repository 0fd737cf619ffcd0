// The files of a log in a folder, exactly as they are served under /log/.
#pragma once

#include <memory>

#include <glasscase/ledger/files.h>
#include <glasscase/process/fd.h>

namespace glasscase::ledger {

// `folder` is opened for searching (O_RDONLY | O_DIRECTORY). Names that begin with a dot are files being
// written.
Result<std::unique_ptr<LogFiles>> OpenLogFolder(Fd folder);

}  // namespace glasscase::ledger
