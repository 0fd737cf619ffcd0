// Rows of the tables as rows of the catalog, for the adapters that keep them in a database. `Row` gives its
// columns by number (Id, IdOrNil, Text, Integer, IntegerOrNull, Flag, DigestAt, DigestOrNull), says by
// damaged() whether one was not what was asked for, and by kRemedy what to do then. DataLoss for rows that
// cannot be.
#pragma once

#include <string>
#include <string_view>

#include <glasscase/catalog/row_text.h>
#include <glasscase/catalog/rows.h>
#include <glasscase/catalog/search.h>
#include <glasscase/core/error.h>

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
// The last column is for search alone.
#define MODEL_ROW                                                                                 \
  "SELECT id, owner, name, default_version, created, kind, secret, licence, tags, fields, card, " \
  "ordinal FROM models "
#define VERSION_ROW                                                                                     \
  "SELECT id, model, label, state, note, faults, sha256, manifest_digest, bytes, inputs, outputs, "     \
  "rows_independent, rows_reason, producer, runtime_version, parameters, card, published_by, created, " \
  "hostable, media_type, fields FROM versions "
#define FILE_ROW "SELECT path, bytes, sha256, is_graph FROM version_files "
#define LINEAGE_ROW "SELECT child, parent, relation, witnessed, created FROM lineage "
#define CHAIN_ACT_ROW \
  "SELECT id, kind, asset, version, created, kept, is_final, state, tx, contract, note FROM chain_acts "
#define RUN_ROW                                                                                        \
  "SELECT id, owner, asset, label, recipe, recipe_sha256, priority, state, reason, attempts, worker, " \
  "created, started, ended, result, repeats, record, translates, wanted_worker, evidence FROM runs "

namespace glasscase::catalog {

inline Error NoSuchRun(const Uuid& id) {
  return Error::InvalidArgument("there is no run " + id.ToString() + " to list from");
}

template <typename Row>
Error DamagedRow(std::string_view table) {
  return Error::DataLoss("the catalog holds a damaged row in " + std::string(table) + "; " + Row::kRemedy);
}

template <typename Row>
Result<Subject> ReadSubject(Row& row) {
  Subject subject{.id = row.Id(0), .name = row.Text(1)};
  subject.roles = static_cast<access::Roles>(row.Integer(2));
  if (const auto slot = row.IntegerOrNull(3)) subject.host_slot = static_cast<uint32_t>(*slot);
  subject.added_by = row.IdOrNil(4);
  subject.created_micros = row.Integer(5);
  constexpr access::Roles kAll = access::kLearner | access::kOwner | access::kOperator;
  if (row.damaged() || subject.roles == 0 || (subject.roles & ~kAll) != 0)
    return Fail(DamagedRow<Row>("subjects"));
  return subject;
}

template <typename Row>
Result<Token> ReadToken(Row& row) {
  Token token{.id = row.Id(0), .subject = row.Id(1)};
  token.edge_digest = row.DigestAt(2);
  token.host_digest = row.DigestAt(3);
  token.custodian_digest = row.DigestAt(4);
  token.hint = row.Text(5);
  token.created_micros = row.Integer(6);
  token.expires_micros = row.Integer(7);
  token.last_used_micros = row.Integer(8);
  token.revoked_micros = row.Integer(9);
  if (row.damaged()) return Fail(DamagedRow<Row>("tokens"));
  return token;
}

template <typename Row>
Result<Invitation> ReadInvitation(Row& row) {
  Invitation invitation{.id = row.Id(0), .subject = row.Id(1), .custodian_digest = row.DigestAt(2)};
  invitation.token_lifetime_micros = row.Integer(3);
  invitation.created_micros = row.Integer(4);
  invitation.expires_micros = row.Integer(5);
  invitation.redeemed_micros = row.Integer(6);
  invitation.revoked_micros = row.Integer(7);
  if (row.damaged()) return Fail(DamagedRow<Row>("invitations"));
  return invitation;
}

template <typename Row>
Result<Grant> ReadGrant(Row& row) {
  Grant grant{.id = row.Id(0), .subject = row.Id(1), .model = row.Id(2), .version = row.IdOrNil(3)};
  grant.action = row.Text(4);
  const auto calls = row.IntegerOrNull(5);
  const auto period = row.IntegerOrNull(6);
  if (calls && period)
    grant.quota =
        access::Quota{.calls = static_cast<uint32_t>(*calls), .period_ns = static_cast<uint64_t>(*period)};
  grant.created_micros = row.Integer(7);
  grant.expires_micros = row.Integer(8);
  grant.revoked_micros = row.Integer(9);
  if (row.damaged() || calls.has_value() != period.has_value() ||
      (grant.action != "predict" && grant.action != "take"))
    return Fail(DamagedRow<Row>("grants"));
  return grant;
}

template <typename Row>
Result<Model> ReadModel(Row& row) {
  Model model{.id = row.Id(0), .owner = row.Id(1), .name = row.Text(2), .default_version = row.IdOrNil(3)};
  model.created_micros = row.Integer(4);
  model.kind = static_cast<AssetKind>(row.Integer(5));
  model.secret = row.DigestOrNull(6);
  model.licence = row.Text(7);
  model.tags = LinesFromText(row.Text(8));
  GC_TRY(model.fields, FieldsFromText(row.Text(9)));
  model.card = row.Text(10);
  if (row.damaged()) return Fail(DamagedRow<Row>("models"));
  return model;
}

template <typename Row>
Result<FoundAsset> ReadFoundAsset(Row& row) {
  GC_TRY(Model model, ReadModel(row));
  FoundAsset found{.ordinal = row.Integer(11), .model = std::move(model)};
  if (row.damaged()) return Fail(DamagedRow<Row>("models"));
  return found;
}

template <typename Row>
Result<Version> ReadVersion(Row& row) {
  Version version{.id = row.Id(0), .model = row.Id(1), .label = row.Text(2)};
  version.state = static_cast<VersionState>(row.Integer(3));
  version.note = row.Text(4);
  version.faults = static_cast<uint32_t>(row.Integer(5));
  version.sha256 = row.DigestAt(6);
  version.manifest_digest = row.DigestAt(7);
  version.bytes = static_cast<uint64_t>(row.Integer(8));
  GC_TRY(version.inputs, TensorsFromText(row.Text(9)));
  GC_TRY(version.outputs, TensorsFromText(row.Text(10)));
  version.rows_independent = row.Flag(11);
  version.rows_reason = row.Text(12);
  version.producer = row.Text(13);
  version.runtime_version = row.Text(14);
  version.parameters = row.Integer(15);
  version.card = row.Text(16);
  version.published_by = row.Id(17);
  version.created_micros = row.Integer(18);
  version.hostable = row.Flag(19);
  version.media_type = row.Text(20);
  GC_TRY(version.fields, FieldsFromText(row.Text(21)));
  if (row.damaged() || version.state < VersionState::kPublished || version.state > VersionState::kDisabled)
    return Fail(DamagedRow<Row>("versions"));
  return version;
}

template <typename Row>
Result<VersionFile> ReadFile(Row& row) {
  VersionFile file{.path = row.Text(0),
                   .bytes = static_cast<uint64_t>(row.Integer(1)),
                   .sha256 = row.DigestAt(2),
                   .is_graph = row.Flag(3)};
  if (row.damaged()) return Fail(DamagedRow<Row>("version_files"));
  return file;
}

template <typename Row>
Result<Lineage> ReadLineage(Row& row) {
  Lineage edge{.child = row.Id(0), .parent = row.Id(1), .relation = static_cast<Relation>(row.Integer(2))};
  edge.witnessed = row.Flag(3);
  edge.created_micros = row.Integer(4);
  if (row.damaged()) return Fail(DamagedRow<Row>("lineage"));
  return edge;
}

template <typename Row>
Result<ChainAct> ReadChainAct(Row& row) {
  ChainAct act{.id = row.Id(0), .kind = static_cast<ChainActKind>(row.Integer(1))};
  act.asset = row.IdOrNil(2);
  act.version = row.IdOrNil(3);
  act.created_micros = row.Integer(4);
  act.kept = row.Blob(5);
  act.is_final = row.Flag(6);
  act.state = row.Text(7);
  act.transaction = row.Text(8);
  act.contract = row.Text(9);
  act.note = row.Text(10);
  if (row.damaged() || act.kind < ChainActKind::kCheckpoint || act.kind > ChainActKind::kContract)
    return Fail(DamagedRow<Row>("chain_acts"));
  return act;
}

template <typename Row>
Result<Run> ReadRun(Row& row) {
  Run run{.id = row.Id(0), .owner = row.Id(1), .asset = row.Id(2), .label = row.Text(3)};
  run.recipe = row.Text(4);
  run.recipe_sha256 = row.DigestAt(5);
  run.priority = row.Integer(6);
  run.state = static_cast<RunState>(row.Integer(7));
  run.reason = row.Text(8);
  run.attempts = static_cast<uint32_t>(row.Integer(9));
  run.worker = row.Text(10);
  run.created_micros = row.Integer(11);
  run.started_micros = row.Integer(12);
  run.ended_micros = row.Integer(13);
  run.result = row.IdOrNil(14);
  run.repeats = row.IdOrNil(15);
  run.record = row.Text(16);
  run.translates = row.IdOrNil(17);
  run.wanted_worker = row.Text(18);
  run.evidence = row.Text(19);
  if (row.damaged() || run.state < RunState::kQueued || run.state > RunState::kCancelled)
    return Fail(DamagedRow<Row>("runs"));
  return run;
}

template <typename Row>
Result<QueueTurn> ReadQueueTurn(Row& row) {
  const QueueTurn turn{.priority = row.Integer(0), .owner = row.Id(1)};
  if (row.damaged()) return Fail(DamagedRow<Row>("runs"));
  return turn;
}

}  // namespace glasscase::catalog
