-- A catalog as schema 1 wrote it. Never edited.
CREATE SCHEMA glasscase;
SET search_path TO glasscase;
CREATE TABLE schema_versions (version BIGINT PRIMARY KEY, applied BIGINT NOT NULL);
INSERT INTO schema_versions VALUES (1, 1790000000000000);

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

UPDATE catalog_state SET changes = 7, outbox = 3;
INSERT INTO subjects (id, name, roles, host_slot, added_by, created) VALUES
  ('00000000-0000-0000-0000-000000000001', 'teacher', 6, 0, NULL, 1790000000000000),
  ('00000000-0000-0000-0000-000000000002', 'ada', 1, NULL, '00000000-0000-0000-0000-000000000001', 1790000000000000);
INSERT INTO tokens (id, subject, edge_digest, host_digest, custodian_digest, hint, created, expires, last_used, revoked)
  VALUES ('00000000-0000-0000-0000-000000000003', '00000000-0000-0000-0000-000000000001',
  '\x0101010101010101010101010101010101010101010101010101010101010101',
  '\x0202020202020202020202020202020202020202020202020202020202020202',
  '\x0303030303030303030303030303030303030303030303030303030303030303', 'wxyz', 1790000000000000, 0, 0, 0);
INSERT INTO invitations (id, subject, custodian_digest, token_lifetime, created, expires, redeemed, revoked)
  VALUES ('00000000-0000-0000-0000-000000000004', '00000000-0000-0000-0000-000000000002',
  '\x0404040404040404040404040404040404040404040404040404040404040404', 0, 1790000000000000, 1790000600000000, 0, 0);
INSERT INTO models (id, owner, name, default_version, created, kind, secret, licence, tags)
  VALUES ('00000000-0000-0000-0000-000000000005', '00000000-0000-0000-0000-000000000001', 'iris', NULL,
  1790000000000000, 1, '\x0909090909090909090909090909090909090909090909090909090909090909', 'MIT', E'flowers\n');
INSERT INTO versions (id, model, label, state, note, faults, sha256, manifest_digest, bytes, inputs, outputs,
  rows_independent, rows_reason, producer, runtime_version, parameters, card, published_by, created, hostable, media_type)
  VALUES ('00000000-0000-0000-0000-000000000006', '00000000-0000-0000-0000-000000000005', '1', 1, '', 0,
  '\x0505050505050505050505050505050505050505050505050505050505050505',
  '\x0606060606060606060606060606060606060606060606060606060606060606', 12, E'FP32 [-1,4] x\n', E'FP32 [-1,3] y\n',
  true, '', 'pytorch 2', '1.30', 15, '# Card', '00000000-0000-0000-0000-000000000001', 1790000000000000, true,
  'application/onnx');
INSERT INTO version_files VALUES ('00000000-0000-0000-0000-000000000006', 'iris.onnx', 12,
  '\x0505050505050505050505050505050505050505050505050505050505050505', true);
INSERT INTO grants (id, subject, model, version, action, quota_calls, quota_period_ns, created, expires, revoked)
  VALUES ('00000000-0000-0000-0000-000000000007', '00000000-0000-0000-0000-000000000002',
  '00000000-0000-0000-0000-000000000005', NULL, 'predict', 100, 60000000000, 1790000000000000, 0, 0);
INSERT INTO settings VALUES ('installation', '00000000-0000-0000-0000-000000000008');
INSERT INTO ledger_outbox VALUES (3, '{}', '\x00000000000000000000000000000005');
