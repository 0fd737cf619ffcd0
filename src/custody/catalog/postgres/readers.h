// Rows of the tables as rows of the catalog; DataLoss for those that cannot be.
#pragma once

#include <glasscase/catalog/rows.h>

#include "statement.h"

// The columns of each table in the order in which its reader takes them.
#define SUBJECT_ROW "SELECT id, name, roles, host_slot, added_by, created FROM subjects "
#define TOKEN_ROW                                                                                       \
  "SELECT id, subject, edge_digest, host_digest, custodian_digest, hint, created, expires, last_used, " \
  "revoked FROM tokens "
#define INVITATION_ROW                                                                              \
  "SELECT id, subject, custodian_digest, token_lifetime, created, expires, redeemed, revoked FROM " \
  "invitations "
#define GRANT_ROW                                                                                        \
  "SELECT id, subject, model, version, action, quota_calls, quota_period_ns, created, expires, revoked " \
  "FROM grants "
#define MODEL_ROW "SELECT id, owner, name, default_version, created, kind, secret, licence, tags FROM models "
#define VERSION_ROW                                                                                     \
  "SELECT id, model, label, state, note, faults, sha256, manifest_digest, bytes, inputs, outputs, "     \
  "rows_independent, rows_reason, producer, runtime_version, parameters, card, published_by, created, " \
  "hostable, media_type FROM versions "
#define FILE_ROW "SELECT path, bytes, sha256, is_graph FROM version_files "
#define LINEAGE_ROW "SELECT child, parent, relation, witnessed, created FROM lineage "

namespace glasscase::catalog::postgres {

Result<Subject> ReadSubject(ResultRow& row);
Result<Token> ReadToken(ResultRow& row);
Result<Invitation> ReadInvitation(ResultRow& row);
Result<Grant> ReadGrant(ResultRow& row);
Result<Model> ReadModel(ResultRow& row);
Result<Version> ReadVersion(ResultRow& row);
Result<VersionFile> ReadFile(ResultRow& row);
Result<Lineage> ReadLineage(ResultRow& row);

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
