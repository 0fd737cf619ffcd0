#include "schema.h"

#include <iterator>
#include <string>

#include "statement.h"

namespace glasscase::catalog::postgres {
namespace {

// Version 1. `ordinal` is the order of insertion, which is that of the commits: see catalog_state.
// `recent_commits` is a ring: whose was which change.
constexpr char kFirstTables[] = R"sql(
CREATE TABLE catalog_state (
  one BOOLEAN PRIMARY KEY CHECK (one),
  changes BIGINT NOT NULL,
  outbox BIGINT NOT NULL
) WITH (fillfactor = 10);
INSERT INTO catalog_state VALUES (true, 0, 0);

CREATE TABLE recent_commits (
  slot BIGINT PRIMARY KEY CHECK (slot BETWEEN 0 AND 1023),
  change BIGINT NOT NULL,
  token UUID NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE subjects (
  id UUID PRIMARY KEY,
  ordinal BIGINT GENERATED ALWAYS AS IDENTITY UNIQUE,
  name TEXT NOT NULL UNIQUE,
  roles BIGINT NOT NULL CHECK (roles BETWEEN 1 AND 7),
  host_slot BIGINT UNIQUE CHECK (host_slot >= 0),
  added_by UUID REFERENCES subjects (id),
  created BIGINT NOT NULL
);

CREATE TABLE tokens (
  id UUID PRIMARY KEY,
  ordinal BIGINT GENERATED ALWAYS AS IDENTITY UNIQUE,
  subject UUID NOT NULL REFERENCES subjects (id),
  edge_digest BYTEA NOT NULL CHECK (length(edge_digest) = 32),
  host_digest BYTEA NOT NULL CHECK (length(host_digest) = 32),
  custodian_digest BYTEA NOT NULL UNIQUE CHECK (length(custodian_digest) = 32),
  hint TEXT NOT NULL,
  created BIGINT NOT NULL,
  expires BIGINT NOT NULL,
  last_used BIGINT NOT NULL,
  revoked BIGINT NOT NULL
);
CREATE INDEX tokens_of_subject ON tokens (subject);

CREATE TABLE invitations (
  id UUID PRIMARY KEY,
  ordinal BIGINT GENERATED ALWAYS AS IDENTITY UNIQUE,
  subject UUID NOT NULL REFERENCES subjects (id),
  custodian_digest BYTEA NOT NULL UNIQUE CHECK (length(custodian_digest) = 32),
  token_lifetime BIGINT NOT NULL,
  created BIGINT NOT NULL,
  expires BIGINT NOT NULL,
  redeemed BIGINT NOT NULL,
  revoked BIGINT NOT NULL
);
CREATE INDEX invitations_of_subject ON invitations (subject);

CREATE TABLE models (
  id UUID PRIMARY KEY,
  ordinal BIGINT GENERATED ALWAYS AS IDENTITY UNIQUE,
  owner UUID NOT NULL REFERENCES subjects (id),
  name TEXT NOT NULL,
  default_version UUID,
  created BIGINT NOT NULL,
  kind BIGINT NOT NULL CHECK (kind IN (1, 2)),
  secret BYTEA CHECK (length(secret) = 32),
  licence TEXT NOT NULL,
  tags TEXT NOT NULL,
  UNIQUE (owner, name)
);

CREATE TABLE versions (
  id UUID PRIMARY KEY,
  ordinal BIGINT GENERATED ALWAYS AS IDENTITY UNIQUE,
  model UUID NOT NULL REFERENCES models (id),
  label TEXT NOT NULL,
  state BIGINT NOT NULL CHECK (state BETWEEN 1 AND 4),
  note TEXT NOT NULL,
  faults BIGINT NOT NULL CHECK (faults >= 0),
  sha256 BYTEA NOT NULL CHECK (length(sha256) = 32),
  manifest_digest BYTEA NOT NULL CHECK (length(manifest_digest) = 32),
  bytes BIGINT NOT NULL CHECK (bytes >= 0),
  inputs TEXT NOT NULL,
  outputs TEXT NOT NULL,
  rows_independent BOOLEAN NOT NULL,
  rows_reason TEXT NOT NULL,
  producer TEXT NOT NULL,
  runtime_version TEXT NOT NULL,
  parameters BIGINT NOT NULL,
  card TEXT NOT NULL,
  published_by UUID NOT NULL REFERENCES subjects (id),
  created BIGINT NOT NULL,
  hostable BOOLEAN NOT NULL,
  media_type TEXT NOT NULL,
  UNIQUE (model, label)
);
ALTER TABLE models ADD FOREIGN KEY (default_version) REFERENCES versions (id);

CREATE TABLE version_files (
  version UUID NOT NULL REFERENCES versions (id),
  path TEXT COLLATE "C" NOT NULL,
  bytes BIGINT NOT NULL CHECK (bytes >= 0),
  sha256 BYTEA NOT NULL CHECK (length(sha256) = 32),
  is_graph BOOLEAN NOT NULL,
  PRIMARY KEY (version, path)
);
CREATE INDEX version_files_by_digest ON version_files (sha256);

CREATE TABLE grants (
  id UUID PRIMARY KEY,
  ordinal BIGINT GENERATED ALWAYS AS IDENTITY UNIQUE,
  subject UUID NOT NULL REFERENCES subjects (id),
  model UUID NOT NULL REFERENCES models (id),
  version UUID REFERENCES versions (id),
  action TEXT NOT NULL,
  quota_calls BIGINT CHECK (quota_calls BETWEEN 1 AND 1000000000),
  quota_period_ns BIGINT CHECK (quota_period_ns >= 1000000000),
  created BIGINT NOT NULL,
  expires BIGINT NOT NULL,
  revoked BIGINT NOT NULL,
  CHECK ((quota_calls IS NULL) = (quota_period_ns IS NULL))
);
CREATE INDEX grants_of_subject ON grants (subject);
CREATE INDEX grants_on_model ON grants (model);

CREATE TABLE lineage (
  child UUID NOT NULL REFERENCES versions (id),
  parent UUID NOT NULL REFERENCES versions (id),
  relation BIGINT NOT NULL CHECK (relation BETWEEN 1 AND 5),
  witnessed BOOLEAN NOT NULL,
  created BIGINT NOT NULL,
  PRIMARY KEY (child, parent, relation)
);
CREATE INDEX lineage_by_parent ON lineage (parent);

CREATE TABLE settings (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
);

CREATE TABLE ledger_head (
  one BOOLEAN PRIMARY KEY CHECK (one),
  size BIGINT NOT NULL CHECK (size >= 0),
  root BYTEA NOT NULL CHECK (length(root) = 32),
  fence BIGINT NOT NULL CHECK (fence >= 0)
) WITH (fillfactor = 10);
INSERT INTO ledger_head
  VALUES (true, 0, '\xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', 0);

CREATE TABLE ledger_outbox (
  sequence BIGINT PRIMARY KEY,
  entry TEXT NOT NULL,
  assets BYTEA NOT NULL CHECK (length(assets) % 16 = 0)
);

CREATE TABLE ledger_kept (
  first BIGINT PRIMARY KEY,
  count BIGINT NOT NULL CHECK (count > 0),
  framed BYTEA NOT NULL
);
)sql";

// Version 2: free fields, cards of assets, search. What search_terms holds is made when the catalog is
// opened.
constexpr char kSearch[] = R"sql(
ALTER TABLE models ADD COLUMN fields TEXT NOT NULL DEFAULT '';
ALTER TABLE models ADD COLUMN card TEXT NOT NULL DEFAULT '';
ALTER TABLE versions ADD COLUMN fields TEXT NOT NULL DEFAULT '';

CREATE TABLE search_terms (
  term TEXT COLLATE "C" NOT NULL,
  asset BIGINT NOT NULL,
  PRIMARY KEY (term, asset)
);
)sql";

// Version 3: ledger_kept keeps all entries, so that another custodian can write the log's files; those below
// `forgotten` have durable files.
constexpr char kArchive[] = R"sql(
ALTER TABLE ledger_head ADD COLUMN forgotten BIGINT NOT NULL DEFAULT 0;
UPDATE ledger_head SET forgotten = coalesce((SELECT min(first) FROM ledger_kept), size);
)sql";

// Version 4: what is to be written to a chain.
constexpr char kChain[] = R"sql(
CREATE TABLE chain_acts (
  ordinal BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id UUID NOT NULL UNIQUE,
  kind BIGINT NOT NULL CHECK (kind BETWEEN 1 AND 4),
  asset UUID REFERENCES models (id),
  version UUID REFERENCES versions (id),
  created BIGINT NOT NULL,
  kept BYTEA NOT NULL,
  is_final BOOLEAN NOT NULL,
  state TEXT NOT NULL,
  tx TEXT NOT NULL,
  contract TEXT NOT NULL,
  note TEXT NOT NULL
);
CREATE INDEX chain_acts_of_asset ON chain_acts (asset);
CREATE INDEX chain_acts_open ON chain_acts (ordinal) WHERE NOT is_final;
)sql";

// Version 5: runs.
constexpr char kRuns[] = R"sql(
CREATE TABLE runs (
  ordinal BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id UUID NOT NULL UNIQUE,
  owner UUID NOT NULL REFERENCES subjects (id),
  asset UUID NOT NULL REFERENCES models (id),
  label TEXT NOT NULL,
  recipe TEXT NOT NULL,
  recipe_sha256 BYTEA NOT NULL CHECK (length(recipe_sha256) = 32),
  priority BIGINT NOT NULL,
  state BIGINT NOT NULL CHECK (state BETWEEN 1 AND 7),
  reason TEXT NOT NULL,
  attempts BIGINT NOT NULL,
  worker TEXT NOT NULL,
  created BIGINT NOT NULL,
  started BIGINT NOT NULL,
  ended BIGINT NOT NULL,
  result UUID REFERENCES versions (id),
  repeats UUID REFERENCES runs (id),
  record TEXT NOT NULL,
  translates UUID REFERENCES versions (id),
  wanted_worker TEXT NOT NULL,
  evidence TEXT NOT NULL
);
CREATE INDEX runs_queued ON runs (priority DESC, owner, ordinal) WHERE state = 1;
CREATE INDEX runs_open ON runs (owner) WHERE state < 5;
CREATE INDEX runs_of_asset ON runs (asset);
CREATE INDEX runs_of_owner ON runs (owner, ordinal);
CREATE INDEX runs_with_result ON runs (result) WHERE result IS NOT NULL;
CREATE INDEX runs_that_repeat ON runs (repeats) WHERE repeats IS NOT NULL;
)sql";

constexpr const char* kSteps[] = {kFirstTables, kSearch, kArchive, kChain, kRuns};

// Two programs that start at once must not both make the tables. "GCAT" and "sche" as numbers.
constexpr char kSchemaLock[] = "SELECT pg_advisory_xact_lock(1195589972, 1935894629)";

struct Found {
  bool schema = false;
  bool versions = false;
  bool others = false;
};

Result<Found> LookAround(Connection& connection) {
  Statement ask(connection,
                "SELECT to_regnamespace('glasscase') IS NOT NULL, "
                "to_regclass('glasscase.schema_versions') IS NOT NULL, "
                "EXISTS (SELECT 1 FROM pg_class WHERE relnamespace = to_regnamespace('glasscase') "
                "AND relname !~ '^schema_versions')");
  GC_TRY(const bool row, ask.Step());
  GC_CHECK(row);
  return Found{.schema = ask.row().Flag(0), .versions = ask.row().Flag(1), .others = ask.row().Flag(2)};
}

Status MakeVersions(Connection& connection, const Found& found, bool create) {
  if (found.versions) return Ok();
  if (found.others) {
    return Fail(Error::FailedPrecondition(
        "the schema \"glasscase\" of this database is not a catalog of Glasscase; give it another database"));
  }
  if (!create)
    return Fail(Error::NotFound("this database holds no catalog of Glasscase; `glasscase init` makes one"));
  // Whoever may not make schemas in the database can be given an empty one.
  if (!found.schema) GC_TRY_VOID(connection.Script("CREATE SCHEMA glasscase"));
  return connection.Script(
      "CREATE TABLE glasscase.schema_versions (version BIGINT PRIMARY KEY, applied BIGINT NOT NULL)");
}

Result<uint32_t> VersionOf(Connection& connection) {
  Statement ask(connection, "SELECT coalesce(max(version), 0) FROM schema_versions");
  GC_TRY(const bool found, ask.Step());
  GC_CHECK(found);
  const int64_t version = ask.row().Integer(0);
  if (ask.row().damaged() || version < 0)
    return Fail(Error::DataLoss("the catalog's table schema_versions is damaged; restore a backup"));
  return static_cast<uint32_t>(version);
}

Status ApplySteps(Connection& connection, const Clock& clock, bool create) {
  GC_TRY_VOID(connection.Script(kSchemaLock));
  GC_TRY(const Found found, LookAround(connection));
  GC_TRY_VOID(MakeVersions(connection, found, create));
  GC_TRY(const uint32_t have, VersionOf(connection));
  if (have > LatestSchemaVersion())
    return Fail(Error::FailedPrecondition("the catalog was written by a newer Glasscase: its schema is " +
                                          std::to_string(have) + ", this program knows up to " +
                                          std::to_string(LatestSchemaVersion())));
  for (uint32_t version = have + 1; version <= LatestSchemaVersion(); ++version) {
    const Status applied = connection.Script(
        std::string(kSteps[version - 1]) + "INSERT INTO schema_versions (version, applied) VALUES (" +
        std::to_string(version) + ", " + std::to_string(clock.WallMicros()) + ")");
    if (!applied)
      return Fail(applied.error().WithContext("bringing the catalog to schema " + std::to_string(version)));
  }
  return Ok();
}

}  // namespace

uint32_t LatestSchemaVersion() { return static_cast<uint32_t>(std::size(kSteps)); }

Status BringSchemaForward(Connection& connection, const Clock& clock, bool create) {
  GC_TRY_VOID(connection.BeginBare());
  Status applied = ApplySteps(connection, clock, create);
  if (applied) applied = connection.Commit();
  connection.Rollback();
  if (applied) connection.ExpectSchema(LatestSchemaVersion());
  return applied;
}

}  // namespace glasscase::catalog::postgres
