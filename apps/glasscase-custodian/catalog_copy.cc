#include "catalog_copy.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <glasscase/catalog_sqlite/sqlite_catalog.h>
#include <glasscase/process/fd.h>

#include "data_directory.h"

namespace glasscase::custodian {

namespace fs = std::filesystem;

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path, ignored);
}

Result<std::unique_ptr<TemporaryFolder>> TemporaryFolder::Make() {
  std::string path = (fs::temp_directory_path() / "glasscase-fsck-XXXXXX").string();
  if (::mkdtemp(path.data()) == nullptr)
    return Fail(Error::FromErrno(errno, "cannot make a folder for a copy"));
  return std::make_unique<TemporaryFolder>(path);
}

bool IsServed(const std::string& directory) {
  const Fd lock(::open((directory + "/serve.lock").c_str(), O_RDONLY | O_CLOEXEC));
  return lock.valid() && ::flock(lock.get(), LOCK_SH | LOCK_NB) != 0;
}

CatalogCopy::CatalogCopy(std::unique_ptr<TemporaryFolder> folder, std::unique_ptr<catalog::Catalog> catalog)
    : folder_(std::move(folder)), catalog_(std::move(catalog)) {}
CatalogCopy::CatalogCopy(CatalogCopy&&) noexcept = default;
CatalogCopy::~CatalogCopy() = default;

Result<CatalogCopy> CatalogCopy::Make(const std::string& directory, const Stores& stores,
                                      const Clock& clock) try {
  if (!stores.settings().IsCatalogLocal()) {
    GC_TRY(auto original, stores.OpenCatalog({}));
    return CatalogCopy(nullptr, std::move(original));
  }
  const fs::path original = fs::path(directory) / kCatalogFile;
  if (!fs::exists(original)) return Fail(Error::NotFound("no installation in " + directory));
  GC_TRY(auto folder, TemporaryFolder::Make());
  const fs::path copy = folder->path / kCatalogFile;
  if (IsServed(directory)) {
    GC_TRY_VOID(catalog::BackUpSqliteCatalog(original, copy));
  } else {
    // With its journal: what was committed last may be in there only.
    fs::copy_file(original, copy);
    const fs::path journal = original.string() + "-wal";
    if (fs::exists(journal)) fs::copy_file(journal, copy.string() + "-wal");
  }
  GC_TRY(auto catalog, catalog::OpenSqliteCatalog(copy, clock));
  return CatalogCopy(std::move(folder), std::move(catalog));
} catch (const fs::filesystem_error& error) {
  return Fail(Error::FromErrno(error.code().value(), error.path1().string()));
}

}  // namespace glasscase::custodian
