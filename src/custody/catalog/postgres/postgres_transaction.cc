#include <string>

#include <glasscase/catalog/row_text.h>
#include <glasscase/catalog/search.h>

#include "readers.h"
#include "statement.h"

namespace glasscase::catalog::postgres {
namespace {

std::optional<int64_t> AsInteger(const std::optional<uint32_t>& value) {
  return value ? std::optional<int64_t>(*value) : std::nullopt;
}

class PostgresTransaction final : public Transaction {
 public:
  explicit PostgresTransaction(Connection& connection) : connection_(connection) {}
  ~PostgresTransaction() override { connection_.Rollback(); }

  Status InsertSubject(const Subject& subject) override {
    Statement insert(connection_,
                     "INSERT INTO subjects (id, name, roles, host_slot, added_by, created) VALUES ($1, $2, "
                     "$3, $4, $5, $6) ON CONFLICT DO NOTHING");
    insert.Bind(subject.id)
        .Bind(subject.name)
        .Bind(int64_t{subject.roles})
        .Bind(AsInteger(subject.host_slot));
    insert.BindIdOrNull(subject.added_by).Bind(subject.created_micros);
    return InsertOne(insert, "subject");
  }

  Status SetRoles(const Uuid& subject, access::Roles roles, std::optional<uint32_t> host_slot) override {
    Statement update(connection_, "UPDATE subjects SET roles = $1, host_slot = $2 WHERE id = $3");
    update.Bind(int64_t{roles}).Bind(AsInteger(host_slot)).Bind(subject);
    return RunOnOneRow(update, "subject");
  }

  Status InsertToken(const Token& token) override {
    Statement insert(connection_,
                     "INSERT INTO tokens (id, subject, edge_digest, host_digest, custodian_digest, hint, "
                     "created, expires, last_used, revoked) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) "
                     "ON CONFLICT DO NOTHING");
    insert.Bind(token.id).Bind(token.subject).Bind(token.edge_digest).Bind(token.host_digest);
    insert.Bind(token.custodian_digest)
        .Bind(token.hint)
        .Bind(token.created_micros)
        .Bind(token.expires_micros);
    insert.Bind(token.last_used_micros).Bind(token.revoked_micros);
    return InsertOne(insert, "token");
  }

  Status RevokeToken(const Uuid& id, int64_t when_micros) override {
    return Mark("UPDATE tokens SET revoked = $1 WHERE id = $2", "token", id, when_micros);
  }

  Status NoteTokenUse(const Uuid& id, int64_t when_micros) override {
    Statement update(connection_, "UPDATE tokens SET last_used = greatest(last_used, $1) WHERE id = $2");
    update.Bind(when_micros).Bind(id);
    return RunOnAny(update);
  }

  Status InsertInvitation(const Invitation& invitation) override {
    Statement insert(
        connection_,
        "INSERT INTO invitations (id, subject, custodian_digest, token_lifetime, created, expires, redeemed, "
        "revoked) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING");
    insert.Bind(invitation.id).Bind(invitation.subject).Bind(invitation.custodian_digest);
    insert.Bind(invitation.token_lifetime_micros)
        .Bind(invitation.created_micros)
        .Bind(invitation.expires_micros);
    insert.Bind(invitation.redeemed_micros).Bind(invitation.revoked_micros);
    return InsertOne(insert, "invitation");
  }

  Status MarkInvitationRedeemed(const Uuid& id, int64_t when_micros) override {
    return Mark("UPDATE invitations SET redeemed = $1 WHERE id = $2", "invitation", id, when_micros);
  }
  Status RevokeInvitation(const Uuid& id, int64_t when_micros) override {
    return Mark("UPDATE invitations SET revoked = $1 WHERE id = $2", "invitation", id, when_micros);
  }

  Status InsertGrant(const Grant& grant) override {
    Statement insert(
        connection_,
        "INSERT INTO grants (id, subject, model, version, action, quota_calls, quota_period_ns, created, "
        "expires, revoked) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING");
    insert.Bind(grant.id)
        .Bind(grant.subject)
        .Bind(grant.model)
        .BindIdOrNull(grant.version)
        .Bind(grant.action);
    BindQuota(insert, grant.quota);
    insert.Bind(grant.created_micros).Bind(grant.expires_micros).Bind(grant.revoked_micros);
    return InsertOne(insert, "grant");
  }

  Status SetGrantTerms(const Uuid& id, const std::optional<access::Quota>& quota,
                       int64_t expires_micros) override {
    Statement update(connection_,
                     "UPDATE grants SET quota_calls = $1, quota_period_ns = $2, expires = $3 WHERE id = $4");
    BindQuota(update, quota);
    update.Bind(expires_micros).Bind(id);
    return RunOnOneRow(update, "grant");
  }

  Status RevokeGrant(const Uuid& id, int64_t when_micros) override {
    return Mark("UPDATE grants SET revoked = $1 WHERE id = $2", "grant", id, when_micros);
  }

  Status InsertModel(const Model& model) override {
    Statement insert(connection_,
                     "INSERT INTO models (id, owner, name, default_version, created, kind, secret, licence, "
                     "tags, fields, card) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) "
                     "ON CONFLICT DO NOTHING");
    insert.Bind(model.id).Bind(model.owner).Bind(model.name).BindIdOrNull(model.default_version);
    insert.Bind(model.created_micros).Bind(static_cast<int64_t>(model.kind)).Bind(model.secret);
    insert.Bind(model.licence)
        .Bind(LinesToText(model.tags))
        .Bind(FieldsToText(model.fields))
        .Bind(model.card);
    GC_TRY_VOID(InsertOne(insert, "model"));
    return AddTerms(connection_, model.id, TermsOf(model));
  }

  Status SetModelDetails(const Uuid& model, const ModelDetails& details) override {
    GC_TRY_VOID(RemoveTermsOfDetails(model));
    Statement update(connection_,
                     "UPDATE models SET licence = $1, tags = $2, fields = $3, card = $4 WHERE id = $5");
    update.Bind(details.licence).Bind(LinesToText(details.tags)).Bind(FieldsToText(details.fields));
    update.Bind(details.card).Bind(model);
    GC_TRY_VOID(RunOnOneRow(update, "model"));
    return AddTermsOfDetails(model, details);
  }

  Status EraseModelSecret(const Uuid& model) override {
    Statement update(connection_, "UPDATE models SET secret = NULL WHERE id = $1");
    update.Bind(model);
    return RunOnOneRow(update, "model");
  }

  Status InsertLineage(const Lineage& edge) override {
    GC_TRY_VOID(RefuseCycle(edge));
    Statement insert(connection_,
                     "INSERT INTO lineage (child, parent, relation, witnessed, created) VALUES ($1, $2, $3, "
                     "$4, $5) ON CONFLICT (child, parent, relation) DO UPDATE SET witnessed = "
                     "lineage.witnessed OR excluded.witnessed");
    insert.Bind(edge.child).Bind(edge.parent).Bind(static_cast<int64_t>(edge.relation));
    insert.BindFlag(edge.witnessed).Bind(edge.created_micros);
    GC_TRY_VOID(RunOnAny(insert));
    return AddAncestors(connection_, edge);
  }

  Status InsertChainAct(const ChainAct& act) override {
    Statement insert(connection_,
                     "INSERT INTO chain_acts (id, kind, asset, version, created, kept, is_final, state, tx, "
                     "contract, note) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)");
    insert.Bind(act.id).Bind(static_cast<int64_t>(act.kind)).BindIdOrNull(act.asset);
    insert.BindIdOrNull(act.version).Bind(act.created_micros).BindBlob(act.kept).BindFlag(act.is_final);
    insert.Bind(act.state).Bind(act.transaction).Bind(act.contract).Bind(act.note);
    return InsertOne(insert, "chain act");
  }

  Status SetChainAct(const ChainAct& act) override {
    Statement update(connection_,
                     "UPDATE chain_acts SET kept = $1, is_final = $2, state = $3, tx = $4, contract = $5, "
                     "note = $6 WHERE id = $7");
    update.BindBlob(act.kept).BindFlag(act.is_final).Bind(act.state).Bind(act.transaction);
    update.Bind(act.contract).Bind(act.note).Bind(act.id);
    return RunOnOneRow(update, "chain act");
  }

  Status InsertRun(const Run& run) override {
    Statement insert(
        connection_,
        "INSERT INTO runs (id, owner, asset, label, recipe, recipe_sha256, priority, state, "
        "reason, attempts, worker, created, started, ended, result, repeats, record, translates, "
        "wanted_worker, evidence) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, "
        "$16, $17, $18, $19, $20)");
    insert.Bind(run.id).Bind(run.owner).Bind(run.asset).Bind(run.label).Bind(run.recipe);
    insert.Bind(run.recipe_sha256).Bind(run.priority).Bind(static_cast<int64_t>(run.state)).Bind(run.reason);
    insert.Bind(int64_t{run.attempts}).Bind(run.worker).Bind(run.created_micros).Bind(run.started_micros);
    insert.Bind(run.ended_micros).BindIdOrNull(run.result).BindIdOrNull(run.repeats).Bind(run.record);
    insert.BindIdOrNull(run.translates).Bind(run.wanted_worker).Bind(run.evidence);
    return InsertOne(insert, "run");
  }

  Status SetRun(const Run& run) override {
    Statement update(connection_,
                     "UPDATE runs SET state = $1, reason = $2, attempts = $3, worker = $4, started = $5, "
                     "ended = $6, result = $7, record = $8, evidence = $9 WHERE id = $10");
    update.Bind(static_cast<int64_t>(run.state)).Bind(run.reason).Bind(int64_t{run.attempts});
    update.Bind(run.worker).Bind(run.started_micros).Bind(run.ended_micros).BindIdOrNull(run.result);
    update.Bind(run.record).Bind(run.evidence).Bind(run.id);
    return RunOnOneRow(update, "run");
  }

  Status QueueEntry(std::string_view entry, const std::vector<Uuid>& assets) override {
    // Counted in the row that Begin has locked until the commit: see README.md for why not by the table
    // itself.
    Statement insert(
        connection_,
        "WITH counted AS (UPDATE catalog_state SET outbox = outbox + 1 RETURNING outbox) "
        "INSERT INTO ledger_outbox (sequence, entry, assets) SELECT outbox, $1, $2 FROM counted");
    std::string ids;
    for (const Uuid& asset : assets) ids += asset.AsBytes();
    insert.Bind(entry).BindBlob(ids);
    return InsertOne(insert, "entry of the ledger");
  }

  Status SetDefaultVersion(const Uuid& model, const Uuid& version_or_nil) override {
    Statement update(connection_, "UPDATE models SET default_version = $1 WHERE id = $2");
    update.BindIdOrNull(version_or_nil).Bind(model);
    return RunOnOneRow(update, "model");
  }

  Status InsertVersion(const Version& version, const std::vector<VersionFile>& files) override {
    Statement insert(
        connection_,
        "INSERT INTO versions (id, model, label, state, note, faults, sha256, manifest_digest, bytes, "
        "inputs, outputs, rows_independent, rows_reason, producer, runtime_version, parameters, card, "
        "published_by, created, hostable, media_type, fields) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, "
        "$10, "
        "$11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22) ON CONFLICT DO NOTHING");
    insert.Bind(version.id).Bind(version.model).Bind(version.label).Bind(static_cast<int64_t>(version.state));
    insert.Bind(version.note)
        .Bind(int64_t{version.faults})
        .Bind(version.sha256)
        .Bind(version.manifest_digest);
    insert.Bind(static_cast<int64_t>(version.bytes)).Bind(TensorsToText(version.inputs));
    insert.Bind(TensorsToText(version.outputs)).BindFlag(version.rows_independent).Bind(version.rows_reason);
    insert.Bind(version.producer).Bind(version.runtime_version).Bind(version.parameters).Bind(version.card);
    insert.Bind(version.published_by).Bind(version.created_micros);
    insert.BindFlag(version.hostable).Bind(version.media_type).Bind(FieldsToText(version.fields));
    GC_TRY_VOID(InsertOne(insert, "version"));
    for (const VersionFile& file : files) GC_TRY_VOID(InsertFile(version.id, file));
    return AddTerms(connection_, version.model, TermsOf(version, files));
  }

  Status SetVersionState(const Uuid& version, VersionState state, std::string_view note) override {
    Statement update(connection_, "UPDATE versions SET state = $1, note = $2 WHERE id = $3");
    update.Bind(static_cast<int64_t>(state)).Bind(note).Bind(version);
    return RunOnOneRow(update, "version");
  }

  Status SetVersionFaults(const Uuid& version, uint32_t faults) override {
    return Mark("UPDATE versions SET faults = $1 WHERE id = $2", "version", version, faults);
  }

  Status SetSetting(std::string_view key, std::string_view value) override {
    Statement put(connection_,
                  "INSERT INTO settings (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = "
                  "excluded.value");
    put.Bind(key).Bind(value);
    return RunOnAny(put);
  }

  Status Commit() override { return connection_.Commit(); }

 private:
  static Status RunOnAny(Statement& statement) {
    return statement.Run().map([](int64_t) {});
  }

  // A taken value leaves the row out instead of failing the statement: a failure would end the transaction.
  static Status InsertOne(Statement& insert, std::string_view what) {
    GC_TRY(const int64_t written, insert.Run());
    if (written == 0)
      return Fail(Error::AlreadyExists("the catalog already has such a " + std::string(what)));
    return Ok();
  }

  static Status RunOnOneRow(Statement& statement, std::string_view what) {
    GC_TRY(const int64_t written, statement.Run());
    if (written == 0) return Fail(Error::NotFound("the catalog has no such " + std::string(what)));
    return Ok();
  }

  Status Mark(const char* sql, std::string_view what, const Uuid& id, int64_t value) {
    Statement update(connection_, sql);
    update.Bind(value).Bind(id);
    return RunOnOneRow(update, what);
  }

  Status RemoveTermsOfDetails(const Uuid& model) {
    Statement find(connection_, MODEL_ROW "WHERE id = $1");
    find.Bind(model);
    GC_TRY(const auto before, One(find, ReadModel<ResultRow>));
    if (!before) return Fail(Error::NotFound("the catalog has no such model"));
    return RemoveTerms(connection_, model, TermsOf(DetailsOf(*before)));
  }

  // A term that went with the asset's fields may be one of a version's too.
  Status AddTermsOfDetails(const Uuid& model, const ModelDetails& details) {
    GC_TRY_VOID(AddTerms(connection_, model, TermsOf(details)));
    Statement list(connection_, "SELECT fields FROM versions WHERE model = $1 AND fields <> ''");
    list.Bind(model);
    while (true) {
      GC_TRY(const bool row, list.Step());
      if (!row) return Ok();
      GC_TRY(const std::vector<Field> fields, FieldsFromText(list.row().Text(0)));
      GC_TRY_VOID(AddTerms(connection_, model, TermsOf(fields)));
    }
  }

  Status RefuseCycle(const Lineage& edge) {
    Statement ask(connection_,
                  "WITH RECURSIVE above (version) AS (SELECT $1::uuid UNION "
                  "SELECT lineage.parent FROM lineage JOIN above ON lineage.child = above.version) "
                  "SELECT 1 FROM above WHERE version = $2");
    ask.Bind(edge.parent).Bind(edge.child);
    GC_TRY(const bool is_cycle, ask.Step());
    if (is_cycle) return Fail(LineageCycle(edge));
    return Ok();
  }

  static void BindQuota(Statement& statement, const std::optional<access::Quota>& quota) {
    statement.Bind(quota ? std::optional<int64_t>(quota->calls) : std::nullopt);
    statement.Bind(quota ? std::optional<int64_t>(static_cast<int64_t>(quota->period_ns)) : std::nullopt);
  }

  Status InsertFile(const Uuid& version, const VersionFile& file) {
    Statement insert(connection_,
                     "INSERT INTO version_files (version, path, bytes, sha256, is_graph) VALUES ($1, $2, $3, "
                     "$4, $5) ON CONFLICT DO NOTHING");
    insert.Bind(version).Bind(file.path).Bind(static_cast<int64_t>(file.bytes)).Bind(file.sha256);
    insert.BindFlag(file.is_graph);
    return InsertOne(insert, "file of a version");
  }

  Connection& connection_;
};

}  // namespace

std::unique_ptr<Transaction> MakeTransaction(Connection& connection) {
  return std::make_unique<PostgresTransaction>(connection);
}

}  // namespace glasscase::catalog::postgres
