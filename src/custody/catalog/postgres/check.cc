#include "check.h"

#include "readers.h"

namespace glasscase::catalog::postgres {
namespace {

// So many rows are held at once; a card may have a megabyte.
#define PART " LIMIT 200"

// Rows with an ordinal: by parts, each after the last of the one before. `last` asks where a part ends.
template <typename Row>
Status ReadParts(Connection& connection, const char* part, const char* last,
                 Result<Row> (*read)(ResultRow&)) {
  int64_t after = 0;
  while (true) {
    Statement rows(connection, part);
    rows.Bind(after);
    GC_TRY_VOID(Each<Row>(rows, read, [](const Row&) { return Ok(); }));
    Statement end(connection, last);
    end.Bind(after);
    GC_TRY_VOID(end.Step());
    const auto next = end.row().IntegerOrNull(0);
    if (!next || end.row().damaged()) return Ok();
    after = *next;
  }
}

#define READ_PARTS(ROW, TABLE, READ)                                    \
  ReadParts(connection, ROW "WHERE ordinal > $1 ORDER BY ordinal" PART, \
            "SELECT max(ordinal) FROM (SELECT ordinal FROM " TABLE      \
            " WHERE ordinal > $1 ORDER BY ordinal" PART ") AS part",    \
            READ)

template <typename Row>
Status ReadAll(Connection& connection, const char* sql, Result<Row> (*read)(ResultRow&)) {
  Statement rows(connection, sql);
  return Each<Row>(rows, read, [](const Row&) { return Ok(); });
}

// The server keeps references by itself, unless somebody with its highest rights told it not to.
#define DANGLING(TABLE, COLUMN, PARENT)                                 \
  "SELECT '" TABLE "." COLUMN "' FROM " TABLE " AS child WHERE " COLUMN \
  " IS NOT NULL AND NOT EXISTS "                                        \
  "(SELECT 1 FROM " PARENT " AS parent WHERE parent.id = child." COLUMN ") "

constexpr const char kDangling[] =
    DANGLING("subjects", "added_by", "subjects") "UNION ALL "
    DANGLING("tokens", "subject", "subjects") "UNION ALL "
    DANGLING("invitations", "subject", "subjects") "UNION ALL "
    DANGLING("models", "owner", "subjects") "UNION ALL "
    DANGLING("models", "default_version", "versions") "UNION ALL "
    DANGLING("versions", "model", "models") "UNION ALL "
    DANGLING("versions", "published_by", "subjects") "UNION ALL "
    DANGLING("version_files", "version", "versions") "UNION ALL "
    DANGLING("grants", "subject", "subjects") "UNION ALL "
    DANGLING("grants", "model", "models") "UNION ALL "
    DANGLING("grants", "version", "versions") "UNION ALL "
    DANGLING("lineage", "child", "versions") "UNION ALL "
    DANGLING("lineage", "parent", "versions") "LIMIT 1";

Status CheckReferences(Connection& connection) {
  Statement ask(connection, kDangling);
  GC_TRY(const bool found, ask.Step());
  if (!found) return Ok();
  return Fail(Error::DataLoss("the catalog is damaged: " + ask.row().Text(0) +
                              " refers to a row that is not there; restore a backup of the database"));
}

}  // namespace

Status CheckWhole(Connection& connection) {
  GC_TRY_VOID(READ_PARTS(SUBJECT_ROW, "subjects", ReadSubject<ResultRow>));
  GC_TRY_VOID(READ_PARTS(TOKEN_ROW, "tokens", ReadToken<ResultRow>));
  GC_TRY_VOID(READ_PARTS(INVITATION_ROW, "invitations", ReadInvitation<ResultRow>));
  GC_TRY_VOID(READ_PARTS(MODEL_ROW, "models", ReadModel<ResultRow>));
  GC_TRY_VOID(READ_PARTS(VERSION_ROW, "versions", ReadVersion<ResultRow>));
  GC_TRY_VOID(READ_PARTS(GRANT_ROW, "grants", ReadGrant<ResultRow>));
  GC_TRY_VOID(ReadAll(connection, FILE_ROW, ReadFile<ResultRow>));
  GC_TRY_VOID(ReadAll(connection, LINEAGE_ROW, ReadLineage<ResultRow>));
  return CheckReferences(connection);
}

}  // namespace glasscase::catalog::postgres
