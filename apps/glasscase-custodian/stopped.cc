#include "stopped.h"

#include <glasscase/ledger_filesystem/log_folder.h>

#include "data_directory.h"
#include "migrate.h"

namespace glasscase::custodian {

Result<Stopped> OpenStopped(const std::string& directory, const StoreSettings& settings, const Clock& clock,
                            RandomSource& random) {
  Stopped opened;
  GC_TRY(opened.directory, OpenFolder(directory));
  GC_TRY(opened.lock, LockOut(opened.directory.get()));
  GC_TRY(opened.stores, Stores::Prepare(settings, opened.directory.get(), clock, random));
  if (!settings.IsCatalogLocal()) {
    GC_TRY(opened.seat, opened.stores->TryToBecomeWriter());
    if (!opened.seat)
      return Fail(Error::FailedPrecondition("a custodian serves this catalog: stop it first"));
  }
  GC_TRY(opened.catalog, opened.stores->OpenCatalog({.path = directory + "/" + kCatalogFile}));
  GC_TRY(const auto moved, opened.catalog->Setting(kMovedSetting));
  if (moved) return Fail(Error::FailedPrecondition("the catalog was moved away, to " + *moved));
  GC_TRY_VOID(MakeFolderAt(opened.directory.get(), kLogFolder));
  GC_TRY(Fd folder, OpenFolderAt(opened.directory.get(), kLogFolder));
  GC_TRY(opened.log_files, ledger::OpenLogFolder(std::move(folder)));
  return opened;
}

}  // namespace glasscase::custodian
