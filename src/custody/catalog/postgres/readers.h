// What a statement finds, read as rows of the catalog.
#pragma once

#include <glasscase/catalog/row_readers.h>

#include "statement.h"

namespace glasscase::catalog::postgres {

template <typename Row>
Result<std::optional<Row>> One(Statement& statement, Result<Row> (*read)(ResultRow&)) {
  GC_TRY(const bool found, statement.Step());
  if (!found) return std::optional<Row>();
  GC_TRY(Row row, read(statement.row()));
  return std::optional<Row>(std::move(row));
}

template <typename Row>
Status Each(Statement& statement, Result<Row> (*read)(ResultRow&), const Visitor<Row>& visit) {
  while (true) {
    GC_TRY(const bool found, statement.Step());
    if (!found) return Ok();
    GC_TRY(const Row row, read(statement.row()));
    GC_TRY_VOID(visit(row));
  }
}

template <typename Row>
Result<std::vector<Row>> All(Statement& statement, Result<Row> (*read)(ResultRow&)) {
  std::vector<Row> rows;
  GC_TRY_VOID(Each<Row>(statement, read, [&](const Row& row) {
    rows.push_back(row);
    return Ok();
  }));
  return rows;
}

}  // namespace glasscase::catalog::postgres
