// A copy of a data directory's catalog, to be read without changing the original: opening a catalog writes
// beside it.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include <glasscase/catalog/catalog.h>
#include <glasscase/core/clock.h>

#include "stores.h"

namespace glasscase::custodian {

// Whether `glasscase serve` holds the directory.
bool IsServed(const std::string& directory);

// Goes with the object, and all that is in it.
struct TemporaryFolder {
  explicit TemporaryFolder(std::filesystem::path where) : path(std::move(where)) {}
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder();
  static Result<std::unique_ptr<TemporaryFolder>> Make();
  std::filesystem::path path;
};

class CatalogCopy {
 public:
  // As of one moment, also while the directory is served.
  // A catalog in a database is no copy but the original.
  static Result<CatalogCopy> Make(const std::string& directory, const Stores& stores, const Clock& clock);
  CatalogCopy(CatalogCopy&&) noexcept;
  CatalogCopy& operator=(CatalogCopy&&) = delete;
  ~CatalogCopy();

  catalog::Catalog& catalog() { return *catalog_; }

 private:
  CatalogCopy(std::unique_ptr<TemporaryFolder> folder, std::unique_ptr<catalog::Catalog> catalog);
  std::unique_ptr<TemporaryFolder> folder_;  // destroyed after what lies in it; null: nothing was copied
  std::unique_ptr<catalog::Catalog> catalog_;
};

}  // namespace glasscase::custodian
