// The catalog in one SQLite file (WAL, synchronous=FULL, STRICT tables); api/formats/data-directory.md.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <glasscase/catalog/catalog.h>
#include <glasscase/core/clock.h>

namespace glasscase::catalog {

struct SqliteOptions {
  bool create = false;     // make the file when it is missing; otherwise NotFound
  bool read_whole = true;  // read and check every row (integrity, references, values) before the first use
};

// Brings an older schema forward. FailedPrecondition when the file was written by a newer Glasscase, DataLoss
// when it is damaged. `clock` outlives the catalog.
Result<std::unique_ptr<Catalog>> OpenSqliteCatalog(const std::string& path, const Clock& clock,
                                                   SqliteOptions options = {});

// Copies a catalog that may be in use into a new file, as of one moment.
Status BackUpSqliteCatalog(const std::string& from, const std::string& to);

// Makes the indexes anew out of the rows when they disagree; gives whether that was needed. Nobody else may
// have the file open. DataLoss when more than the indexes is damaged.
Result<bool> RepairSqliteIndexes(const std::string& path);

// The schema that this program writes.
uint32_t SqliteSchemaVersion();

}  // namespace glasscase::catalog
