// Moving a catalog from one database to another, and the proof that both hold the same.
#pragma once

#include <glasscase/catalog/catalog.h>
#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>

namespace glasscase::catalog {

// Copies every row but the journal's into a catalog without any, in one transaction. AlreadyExists when `to`
// holds an installation.
Status CopyRows(Catalog& from, Catalog& to);

struct RowsDigest {
  Digest sha256{};
  uint64_t rows = 0;
  bool operator==(const RowsDigest&) const = default;
};

// SHA-256 over every row but the journal's, each value after its length, in the order in which the catalog
// lists them: the same for every adapter. What an adapter makes from the rows by itself does not count.
Result<RowsDigest> DigestRows(Catalog& catalog);

}  // namespace glasscase::catalog
