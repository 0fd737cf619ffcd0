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

// Version 2: assets of other kinds, lineage, the ledger's journal.
constexpr char kAssetsAndLedger[] = R"sql(
ALTER TABLE models ADD COLUMN kind INTEGER NOT NULL DEFAULT 1 CHECK (kind IN (1, 2));
ALTER TABLE models ADD COLUMN secret BLOB CHECK (secret IS NULL OR length(secret) = 32);
ALTER TABLE models ADD COLUMN licence TEXT NOT NULL DEFAULT '';
ALTER TABLE models ADD COLUMN tags TEXT NOT NULL DEFAULT '';
ALTER TABLE versions ADD COLUMN hostable INTEGER NOT NULL DEFAULT 1 CHECK (hostable IN (0, 1));
ALTER TABLE versions ADD COLUMN media_type TEXT NOT NULL DEFAULT 'application/onnx';
UPDATE models SET secret = randomblob(32);

CREATE TABLE lineage (
  child BLOB NOT NULL REFERENCES versions (id),
  parent BLOB NOT NULL REFERENCES versions (id),
  relation INTEGER NOT NULL CHECK (relation BETWEEN 1 AND 5),
  witnessed INTEGER NOT NULL CHECK (witnessed IN (0, 1)),
  created INTEGER NOT NULL,
  PRIMARY KEY (child, parent, relation)
) STRICT, WITHOUT ROWID;
CREATE INDEX lineage_by_parent ON lineage (parent);

CREATE TABLE ledger_head (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  size INTEGER NOT NULL CHECK (size >= 0),
  root BLOB NOT NULL CHECK (length(root) = 32),
  fence INTEGER NOT NULL CHECK (fence >= 0)
) STRICT;
INSERT INTO ledger_head VALUES (1, 0, x'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', 0);

CREATE TABLE ledger_outbox (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  entry TEXT NOT NULL,
  assets BLOB NOT NULL CHECK (length(assets) % 16 = 0)
) STRICT;

CREATE TABLE ledger_kept (
  first INTEGER PRIMARY KEY,
  count INTEGER NOT NULL CHECK (count > 0),
  framed BLOB NOT NULL
) STRICT;
)sql";

// Version 3: free fields, cards of assets, search. `ordinal` is the order of registration; a rowid is not
// kept when a file is vacuumed. What search_terms holds is made when the catalog is opened.
constexpr char kSearch[] = R"sql(
ALTER TABLE models ADD COLUMN fields TEXT NOT NULL DEFAULT '';
ALTER TABLE models ADD COLUMN card TEXT NOT NULL DEFAULT '';
ALTER TABLE models ADD COLUMN ordinal INTEGER NOT NULL DEFAULT 0;
UPDATE models SET ordinal = rowid;
CREATE UNIQUE INDEX models_by_ordinal ON models (ordinal);
ALTER TABLE versions ADD COLUMN fields TEXT NOT NULL DEFAULT '';

CREATE TABLE search_terms (
  term TEXT NOT NULL,
  asset INTEGER NOT NULL,
  PRIMARY KEY (term, asset)
) STRICT, WITHOUT ROWID;
)sql";

// Version 4: what is to be written to a chain.
constexpr char kChain[] = R"sql(
CREATE TABLE chain_acts (
  ordinal INTEGER PRIMARY KEY AUTOINCREMENT,
  id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
  kind INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 4),
  asset BLOB REFERENCES models (id),
  version BLOB REFERENCES versions (id),
  created INTEGER NOT NULL,
  kept BLOB NOT NULL,
  is_final INTEGER NOT NULL CHECK (is_final IN (0, 1)),
  state TEXT NOT NULL,
  tx TEXT NOT NULL,
  contract TEXT NOT NULL,
  note TEXT NOT NULL
) STRICT;
CREATE INDEX chain_acts_of_asset ON chain_acts (asset);
CREATE INDEX chain_acts_open ON chain_acts (ordinal) WHERE is_final = 0;
)sql";

// Version 5: runs.
constexpr char kRuns[] = R"sql(
CREATE TABLE runs (
  ordinal INTEGER PRIMARY KEY AUTOINCREMENT,
  id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
  owner BLOB NOT NULL REFERENCES subjects (id),
  asset BLOB NOT NULL REFERENCES models (id),
  label TEXT NOT NULL,
  recipe TEXT NOT NULL,
  recipe_sha256 BLOB NOT NULL CHECK (length(recipe_sha256) = 32),
  priority INTEGER NOT NULL,
  state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 7),
  reason TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  worker TEXT NOT NULL,
  created INTEGER NOT NULL,
  started INTEGER NOT NULL,
  ended INTEGER NOT NULL,
  result BLOB REFERENCES versions (id),
  repeats BLOB REFERENCES runs (id),
  record TEXT NOT NULL,
  translates BLOB REFERENCES versions (id),
  wanted_worker TEXT NOT NULL,
  evidence TEXT NOT NULL
) STRICT;
CREATE INDEX runs_queued ON runs (priority DESC, owner, ordinal) WHERE state = 1;
CREATE INDEX runs_open ON runs (owner) WHERE state < 5;
CREATE INDEX runs_of_asset ON runs (asset);
CREATE INDEX runs_of_owner ON runs (owner, ordinal);
CREATE INDEX runs_with_result ON runs (result) WHERE result IS NOT NULL;
CREATE INDEX runs_that_repeat ON runs (repeats) WHERE repeats IS NOT NULL;
)sql";

constexpr const char* kSteps[] = {kFirstTables, kAssetsAndLedger, kSearch, kChain, kRuns};

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
