// A copy of a data directory's catalog, to be read without changing the original: opening a catalog writes
// beside it.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include <glasscase/catalog/catalog.h>
#include <glasscase/core/clock.h>

namespace glasscase::custodian {

// Whether `glasscase serve` holds the directory.
bool IsServed(const std::string& directory);

class CatalogCopy {
 public:
  // As of one moment, also while the directory is served.
  static Result<CatalogCopy> Make(const std::string& directory, const Clock& clock);
  CatalogCopy(CatalogCopy&&) noexcept;
  CatalogCopy& operator=(CatalogCopy&&) = delete;
  ~CatalogCopy();

  catalog::Catalog& catalog() { return *catalog_; }

 private:
  struct Folder;
  CatalogCopy(std::unique_ptr<Folder> folder, std::unique_ptr<catalog::Catalog> catalog);
  std::unique_ptr<Folder> folder_;  // destroyed after what lies in it
  std::unique_ptr<catalog::Catalog> catalog_;
};

}  // namespace glasscase::custodian
