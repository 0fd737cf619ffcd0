#include "repair.h"

#include <filesystem>

#include <glasscase/catalog_sqlite/sqlite_catalog.h>
#include <glasscase/crypto/random.h>
#include <glasscase/ledger/repair.h>
#include <glasscase/ledger_filesystem/log_folder.h>

#include "catalog_copy.h"
#include "data_directory.h"
#include "ledger_key.h"

namespace glasscase::custodian {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> FilesBelow(const fs::path& folder) {
  std::vector<std::string> paths;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (!entry.is_directory() || entry.is_symlink()) paths.push_back(entry.path().lexically_relative(folder));
  return paths;
}

Status RepairLog(const std::string& directory, int directory_fd, const StoreSettings& settings,
                 const Clock& clock, const RepairWords& words) {
  SystemRandom random;
  GC_TRY(const Stores stores, Stores::Prepare(settings, directory_fd, clock, random));
  GC_TRY(CatalogCopy copy, CatalogCopy::Make(directory, stores, clock));
  GC_TRY_VOID(MakeFolderAt(directory_fd, kLogFolder));
  GC_TRY(Fd folder, OpenFolderAt(directory_fd, kLogFolder));
  GC_TRY(const auto files, ledger::OpenLogFolder(std::move(folder)));
  GC_TRY(const ledger::NoteSigner signer, LoadLedgerKey(directory_fd));
  const auto in_log = [](const auto& tell) {
    return [&tell](std::string_view path, std::string_view what) {
      tell(std::string(kLogFolder) + "/" + std::string(path), what);
    };
  };
  return ledger::RepairLogFiles(*files, copy.catalog().Journal(), signer,
                                {.paths = FilesBelow(fs::path(directory) / kLogFolder),
                                 .repaired = in_log(words.repaired),
                                 .left = in_log(words.left)});
}

}  // namespace

Status Repair(const std::string& directory, const StoreSettings& stores, const Clock& clock,
              const RepairWords& words) try {
  const std::string catalog_file = directory + "/" + kCatalogFile;
  if (stores.IsCatalogLocal() && !fs::exists(catalog_file))
    return Fail(Error::NotFound("no installation in " + directory));
  GC_TRY(const Fd folder, OpenFolder(directory));
  GC_TRY(const Fd lock, LockOut(folder.get()));
  bool reindexed = false;
  if (stores.IsCatalogLocal()) {
    GC_TRY(reindexed, catalog::RepairSqliteIndexes(catalog_file));
  }
  if (reindexed) words.repaired(kCatalogFile, "its indexes disagreed with its rows, and were made anew");
  GC_TRY_VOID(RepairLog(directory, folder.get(), stores, clock, words));
  return GiveToCustodian(directory);
} catch (const fs::filesystem_error& error) {
  return Fail(Error::FromErrno(error.code().value(), error.path1().string()));
}

}  // namespace glasscase::custodian
