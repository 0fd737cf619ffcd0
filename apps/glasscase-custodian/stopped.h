// A stopped installation, opened by a command that changes it: nobody serves it meanwhile.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <glasscase/catalog_postgres/postgres_catalog.h>
#include <glasscase/core/clock.h>
#include <glasscase/crypto/random.h>
#include <glasscase/ledger/files.h>
#include <glasscase/process/fd.h>

#include "stores.h"

namespace glasscase::custodian {

// Destroyed in reverse.
struct Stopped {
  Fd directory;
  Fd lock;
  std::optional<Stores> stores;
  std::unique_ptr<catalog::WriterLock> seat;  // with a shared catalog
  std::unique_ptr<catalog::Catalog> catalog;
  std::unique_ptr<ledger::LogFiles> log_files;
};

// FailedPrecondition when it is served, or its catalog was moved away.
Result<Stopped> OpenStopped(const std::string& directory, const StoreSettings& settings, const Clock& clock,
                            RandomSource& random);

}  // namespace glasscase::custodian
