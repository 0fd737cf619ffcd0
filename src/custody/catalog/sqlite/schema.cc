#include "schema.h"

#include <string>

#include "statement.h"

namespace glasscase::catalog {
namespace {

// Version 1.
constexpr char kFirstTables[] = R"sql(
CREATE TABLE subjects (
  id BLOB PRIMARY KEY CHECK (length(id) = 16),
  name TEXT NOT NULL UNIQUE,
  roles INTEGER NOT NULL CHECK (roles BETWEEN 1 AND 7),
  host_slot INTEGER UNIQUE CHECK (host_slot >= 0),
  added_by BLOB REFERENCES subjects (id),
  created INTEGER NOT NULL
) STRICT;

CREATE TABLE tokens (
  id BLOB PRIMARY KEY CHECK (length(id) = 16),
  subject BLOB NOT NULL REFERENCES subjects (id),
  edge_digest BLOB NOT NULL CHECK (length(edge_digest) = 32),
  host_digest BLOB NOT NULL CHECK (length(host_digest) = 32),
  custodian_digest BLOB NOT NULL UNIQUE CHECK (length(custodian_digest) = 32),
  hint TEXT NOT NULL,
  created INTEGER NOT NULL,
  expires INTEGER NOT NULL,
  last_used INTEGER NOT NULL,
  revoked INTEGER NOT NULL
) STRICT;
CREATE INDEX tokens_of_subject ON tokens (subject);

CREATE TABLE invitations (
  id BLOB PRIMARY KEY CHECK (length(id) = 16),
  subject BLOB NOT NULL REFERENCES subjects (id),
  custodian_digest BLOB NOT NULL UNIQUE CHECK (length(custodian_digest) = 32),
  token_lifetime INTEGER NOT NULL,
  created INTEGER NOT NULL,
  expires INTEGER NOT NULL,
  redeemed INTEGER NOT NULL,
  revoked INTEGER NOT NULL
) STRICT;
CREATE INDEX invitations_of_subject ON invitations (subject);

CREATE TABLE models (
  id BLOB PRIMARY KEY CHECK (length(id) = 16),
  owner BLOB NOT NULL REFERENCES subjects (id),
  name TEXT NOT NULL,
  default_version BLOB REFERENCES versions (id),
  created INTEGER NOT NULL,
  UNIQUE (owner, name)
) STRICT;

CREATE TABLE versions (
  id BLOB PRIMARY KEY CHECK (length(id) = 16),
  model BLOB NOT NULL REFERENCES models (id),
  label TEXT NOT NULL,
  state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 4),
  note TEXT NOT NULL,
  faults INTEGER NOT NULL CHECK (faults >= 0),
  sha256 BLOB NOT NULL CHECK (length(sha256) = 32),
  manifest_digest BLOB NOT NULL CHECK (length(manifest_digest) = 32),
  bytes INTEGER NOT NULL CHECK (bytes >= 0),
  inputs TEXT NOT NULL,
  outputs TEXT NOT NULL,
  rows_independent INTEGER NOT NULL CHECK (rows_independent IN (0, 1)),
  rows_reason TEXT NOT NULL,
  producer TEXT NOT NULL,
  runtime_version TEXT NOT NULL,
  parameters INTEGER NOT NULL,
  card TEXT NOT NULL,
  published_by BLOB NOT NULL REFERENCES subjects (id),
  created INTEGER NOT NULL,
  UNIQUE (model, label)
) STRICT;

CREATE TABLE version_files (
  version BLOB NOT NULL REFERENCES versions (id),
  path TEXT NOT NULL,
  bytes INTEGER NOT NULL CHECK (bytes >= 0),
  sha256 BLOB NOT NULL CHECK (length(sha256) = 32),
  is_graph INTEGER NOT NULL CHECK (is_graph IN (0, 1)),
  PRIMARY KEY (version, path)
) STRICT, WITHOUT ROWID;
CREATE INDEX version_files_by_digest ON version_files (sha256);

CREATE TABLE grants (
  id BLOB PRIMARY KEY CHECK (length(id) = 16),
  subject BLOB NOT NULL REFERENCES subjects (id),
  model BLOB NOT NULL REFERENCES models (id),
  version BLOB REFERENCES versions (id),
  action TEXT NOT NULL,
  quota_calls INTEGER CHECK (quota_calls BETWEEN 1 AND 1000000000),
  quota_period_ns INTEGER CHECK (quota_period_ns >= 1000000000),
  created INTEGER NOT NULL,
  expires INTEGER NOT NULL,
  revoked INTEGER NOT NULL,
  CHECK ((quota_calls IS NULL) = (quota_period_ns IS NULL))
) STRICT;
CREATE INDEX grants_of_subject ON grants (subject);
CREATE INDEX grants_on_model ON grants (model);

CREATE TABLE settings (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT;
)sql";

constexpr const char* kSteps[] = {kFirstTables};

Result<uint32_t> VersionOf(sqlite3* database) {
  GC_TRY_VOID(Execute(database,
                      "CREATE TABLE IF NOT EXISTS schema_versions ("
                      "version INTEGER PRIMARY KEY, applied INTEGER NOT NULL) STRICT"));
  StatementCache statements(database);
  GC_TRY(Statement ask, statements.Prepare("SELECT coalesce(max(version), 0) FROM schema_versions"));
  GC_TRY(const bool found, ask.Step());
  GC_CHECK(found);
  return static_cast<uint32_t>(ask.Integer(0));
}

}  // namespace

uint32_t LatestSchemaVersion() { return static_cast<uint32_t>(std::size(kSteps)); }

Status BringSchemaForward(sqlite3* database, const Clock& clock) {
  GC_TRY(const uint32_t have, VersionOf(database));
  if (have > LatestSchemaVersion())
    return Fail(Error::FailedPrecondition("the catalog was written by a newer Glasscase: its schema is " +
                                          std::to_string(have) + ", this program knows up to " +
                                          std::to_string(LatestSchemaVersion())));
  for (uint32_t version = have + 1; version <= LatestSchemaVersion(); ++version) {
    const std::string step = std::string("BEGIN IMMEDIATE;") + kSteps[version - 1] +
                             "INSERT INTO schema_versions (version, applied) VALUES (" +
                             std::to_string(version) + ", " + std::to_string(clock.WallMicros()) +
                             "); COMMIT;";
    const Status applied = Execute(database, step.c_str());
    if (!applied) {
      (void)Execute(database, "ROLLBACK");
      return Fail(applied.error().WithContext("bringing the catalog to schema " + std::to_string(version)));
    }
  }
  return Ok();
}

}  // namespace glasscase::catalog
