#include <string>

#include <glasscase/catalog/row_readers.h>
#include <glasscase/catalog/row_text.h>
#include <glasscase/catalog/search.h>

#include "connection.h"

namespace glasscase::catalog {
namespace {

std::optional<int64_t> AsInteger(const std::optional<uint32_t>& value) {
  return value ? std::optional<int64_t>(*value) : std::nullopt;
}

class SqliteTransaction final : public Transaction {
 public:
  explicit SqliteTransaction(Connection& connection) : connection_(connection) {
    connection_.in_transaction = true;
  }
  ~SqliteTransaction() override {
    if (committed_) return;
    // A full disk may have rolled it back already.
    if (sqlite3_get_autocommit(connection_.database.get()) == 0)
      (void)Execute(connection_.database.get(), "ROLLBACK");
    connection_.in_transaction = false;
  }

  Status InsertSubject(const Subject& subject) override {
    GC_TRY(Statement insert, Prepare("INSERT INTO subjects (id, name, roles, host_slot, added_by, created) "
                                     "VALUES (?, ?, ?, ?, ?, ?)"));
    insert.Bind(subject.id)
        .Bind(subject.name)
        .Bind(int64_t{subject.roles})
        .Bind(AsInteger(subject.host_slot));
    insert.BindIdOrNull(subject.added_by).Bind(subject.created_micros);
    return insert.Run();
  }

  Status SetRoles(const Uuid& subject, access::Roles roles, std::optional<uint32_t> host_slot) override {
    GC_TRY(Statement update, Prepare("UPDATE subjects SET roles = ?, host_slot = ? WHERE id = ?"));
    update.Bind(int64_t{roles}).Bind(AsInteger(host_slot)).Bind(subject);
    return RunOnOneRow(update, "subject");
  }

  Status InsertToken(const Token& token) override {
    GC_TRY(
        Statement insert,
        Prepare("INSERT INTO tokens (id, subject, edge_digest, host_digest, custodian_digest, hint, created, "
                "expires, last_used, revoked) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
    insert.Bind(token.id).Bind(token.subject).Bind(token.edge_digest).Bind(token.host_digest);
    insert.Bind(token.custodian_digest)
        .Bind(token.hint)
        .Bind(token.created_micros)
        .Bind(token.expires_micros);
    insert.Bind(token.last_used_micros).Bind(token.revoked_micros);
    return insert.Run();
  }

  Status RevokeToken(const Uuid& id, int64_t when_micros) override {
    return Mark("UPDATE tokens SET revoked = ? WHERE id = ?", "token", id, when_micros);
  }

  Status NoteTokenUse(const Uuid& id, int64_t when_micros) override {
    GC_TRY(Statement update, Prepare("UPDATE tokens SET last_used = max(last_used, ?) WHERE id = ?"));
    update.Bind(when_micros).Bind(id);
    return update.Run();
  }

  Status InsertInvitation(const Invitation& invitation) override {
    GC_TRY(Statement insert,
           Prepare("INSERT INTO invitations (id, subject, custodian_digest, token_lifetime, "
                   "created, expires, redeemed, revoked) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"));
    insert.Bind(invitation.id).Bind(invitation.subject).Bind(invitation.custodian_digest);
    insert.Bind(invitation.token_lifetime_micros)
        .Bind(invitation.created_micros)
        .Bind(invitation.expires_micros);
    insert.Bind(invitation.redeemed_micros).Bind(invitation.revoked_micros);
    return insert.Run();
  }

  Status MarkInvitationRedeemed(const Uuid& id, int64_t when_micros) override {
    return Mark("UPDATE invitations SET redeemed = ? WHERE id = ?", "invitation", id, when_micros);
  }
  Status RevokeInvitation(const Uuid& id, int64_t when_micros) override {
    return Mark("UPDATE invitations SET revoked = ? WHERE id = ?", "invitation", id, when_micros);
  }

  Status InsertGrant(const Grant& grant) override {
    GC_TRY(
        Statement insert,
        Prepare(
            "INSERT INTO grants (id, subject, model, version, action, quota_calls, quota_period_ns, created, "
            "expires, revoked) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
    insert.Bind(grant.id)
        .Bind(grant.subject)
        .Bind(grant.model)
        .BindIdOrNull(grant.version)
        .Bind(grant.action);
    BindQuota(insert, grant.quota);
    insert.Bind(grant.created_micros).Bind(grant.expires_micros).Bind(grant.revoked_micros);
    return insert.Run();
  }

  Status SetGrantTerms(const Uuid& id, const std::optional<access::Quota>& quota,
                       int64_t expires_micros) override {
    GC_TRY(Statement update,
           Prepare("UPDATE grants SET quota_calls = ?, quota_period_ns = ?, expires = ? WHERE id = ?"));
    BindQuota(update, quota);
    update.Bind(expires_micros).Bind(id);
    return RunOnOneRow(update, "grant");
  }

  Status RevokeGrant(const Uuid& id, int64_t when_micros) override {
    return Mark("UPDATE grants SET revoked = ? WHERE id = ?", "grant", id, when_micros);
  }

  Status InsertModel(const Model& model) override {
    GC_TRY(
        Statement insert,
        Prepare("INSERT INTO models (id, owner, name, default_version, created, kind, secret, licence, tags, "
                "fields, card, ordinal) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
                "(SELECT coalesce(max(ordinal), 0) + 1 FROM models))"));
    insert.Bind(model.id).Bind(model.owner).Bind(model.name).BindIdOrNull(model.default_version);
    insert.Bind(model.created_micros).Bind(static_cast<int64_t>(model.kind)).Bind(model.secret);
    insert.Bind(model.licence)
        .Bind(LinesToText(model.tags))
        .Bind(FieldsToText(model.fields))
        .Bind(model.card);
    GC_TRY_VOID(insert.Run());
    return AddTerms(connection_, model.id, TermsOf(model));
  }

  Status SetModelDetails(const Uuid& model, const ModelDetails& details) override {
    GC_TRY_VOID(RemoveTermsOfDetails(model));
    GC_TRY(Statement update,
           Prepare("UPDATE models SET licence = ?, tags = ?, fields = ?, card = ? WHERE id = ?"));
    update.Bind(details.licence).Bind(LinesToText(details.tags)).Bind(FieldsToText(details.fields));
    update.Bind(details.card).Bind(model);
    GC_TRY_VOID(RunOnOneRow(update, "model"));
    return AddTermsOfDetails(model, details);
  }

  Status EraseModelSecret(const Uuid& model) override {
    GC_TRY(Statement update, Prepare("UPDATE models SET secret = NULL WHERE id = ?"));
    update.Bind(model);
    return RunOnOneRow(update, "model");
  }

  Status InsertLineage(const Lineage& edge) override {
    GC_TRY_VOID(RefuseCycle(edge));
    GC_TRY(Statement insert, Prepare("INSERT INTO lineage (child, parent, relation, witnessed, created) "
                                     "VALUES (?, ?, ?, ?, ?) ON CONFLICT (child, parent, relation) "
                                     "DO UPDATE SET witnessed = max(witnessed, excluded.witnessed)"));
    insert.Bind(edge.child).Bind(edge.parent).Bind(static_cast<int64_t>(edge.relation));
    insert.Bind(int64_t{edge.witnessed}).Bind(edge.created_micros);
    GC_TRY_VOID(insert.Run());
    return AddAncestors(connection_, edge);
  }

  Status InsertChainAct(const ChainAct& act) override {
    GC_TRY(Statement insert,
           Prepare("INSERT INTO chain_acts (id, kind, asset, version, created, kept, is_final, "
                   "state, tx, contract, note) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
    insert.Bind(act.id).Bind(static_cast<int64_t>(act.kind)).BindIdOrNull(act.asset);
    insert.BindIdOrNull(act.version).Bind(act.created_micros).BindBlob(act.kept);
    insert.Bind(int64_t{act.is_final})
        .Bind(act.state)
        .Bind(act.transaction)
        .Bind(act.contract)
        .Bind(act.note);
    return insert.Run();
  }

  Status SetChainAct(const ChainAct& act) override {
    GC_TRY(Statement update, Prepare("UPDATE chain_acts SET kept = ?, is_final = ?, state = ?, tx = ?, "
                                     "contract = ?, note = ? WHERE id = ?"));
    update.BindBlob(act.kept).Bind(int64_t{act.is_final}).Bind(act.state).Bind(act.transaction);
    update.Bind(act.contract).Bind(act.note).Bind(act.id);
    return RunOnOneRow(update, "chain act");
  }

  Status InsertRun(const Run& run) override {
    GC_TRY(
        Statement insert,
        Prepare("INSERT INTO runs (id, owner, asset, label, recipe, recipe_sha256, priority, state, reason, "
                "attempts, worker, created, started, ended, result, repeats, record, translates, "
                "wanted_worker, evidence) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
    insert.Bind(run.id).Bind(run.owner).Bind(run.asset).Bind(run.label).Bind(run.recipe);
    insert.Bind(run.recipe_sha256).Bind(run.priority).Bind(static_cast<int64_t>(run.state)).Bind(run.reason);
    insert.Bind(int64_t{run.attempts}).Bind(run.worker).Bind(run.created_micros).Bind(run.started_micros);
    insert.Bind(run.ended_micros).BindIdOrNull(run.result).BindIdOrNull(run.repeats).Bind(run.record);
    insert.BindIdOrNull(run.translates).Bind(run.wanted_worker).Bind(run.evidence);
    return insert.Run();
  }

  Status SetRun(const Run& run) override {
    GC_TRY(Statement update,
           Prepare("UPDATE runs SET state = ?, reason = ?, attempts = ?, worker = ?, "
                   "started = ?, ended = ?, result = ?, record = ?, evidence = ? WHERE id = ?"));
    update.Bind(static_cast<int64_t>(run.state)).Bind(run.reason).Bind(int64_t{run.attempts});
    update.Bind(run.worker).Bind(run.started_micros).Bind(run.ended_micros).BindIdOrNull(run.result);
    update.Bind(run.record).Bind(run.evidence).Bind(run.id);
    return RunOnOneRow(update, "run");
  }

  Status QueueEntry(std::string_view entry, const std::vector<Uuid>& assets) override {
    GC_TRY(Statement insert, Prepare("INSERT INTO ledger_outbox (entry, assets) VALUES (?, ?)"));
    std::string ids;
    for (const Uuid& asset : assets) ids += asset.AsBytes();
    insert.Bind(entry).BindBlob(ids);
    return insert.Run();
  }

  Status SetDefaultVersion(const Uuid& model, const Uuid& version_or_nil) override {
    GC_TRY(Statement update, Prepare("UPDATE models SET default_version = ? WHERE id = ?"));
    update.BindIdOrNull(version_or_nil).Bind(model);
    return RunOnOneRow(update, "model");
  }

  Status InsertVersion(const Version& version, const std::vector<VersionFile>& files) override {
    GC_TRY(Statement insert,
           Prepare(
               "INSERT INTO versions (id, model, label, state, note, faults, sha256, manifest_digest, bytes, "
               "inputs, outputs, rows_independent, rows_reason, producer, runtime_version, parameters, card, "
               "published_by, created, hostable, media_type, fields) "
               "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
    insert.Bind(version.id).Bind(version.model).Bind(version.label).Bind(static_cast<int64_t>(version.state));
    insert.Bind(version.note)
        .Bind(int64_t{version.faults})
        .Bind(version.sha256)
        .Bind(version.manifest_digest);
    insert.Bind(static_cast<int64_t>(version.bytes)).Bind(TensorsToText(version.inputs));
    insert.Bind(TensorsToText(version.outputs))
        .Bind(int64_t{version.rows_independent})
        .Bind(version.rows_reason);
    insert.Bind(version.producer).Bind(version.runtime_version).Bind(version.parameters).Bind(version.card);
    insert.Bind(version.published_by).Bind(version.created_micros);
    insert.Bind(int64_t{version.hostable}).Bind(version.media_type).Bind(FieldsToText(version.fields));
    GC_TRY_VOID(insert.Run());
    for (const VersionFile& file : files) GC_TRY_VOID(InsertFile(version.id, file));
    return AddTerms(connection_, version.model, TermsOf(version, files));
  }

  Status SetVersionState(const Uuid& version, VersionState state, std::string_view note) override {
    GC_TRY(Statement update, Prepare("UPDATE versions SET state = ?, note = ? WHERE id = ?"));
    update.Bind(static_cast<int64_t>(state)).Bind(note).Bind(version);
    return RunOnOneRow(update, "version");
  }

  Status SetVersionFaults(const Uuid& version, uint32_t faults) override {
    return Mark("UPDATE versions SET faults = ? WHERE id = ?", "version", version, faults);
  }

  Status SetSetting(std::string_view key, std::string_view value) override {
    GC_TRY(Statement put, Prepare("INSERT INTO settings (key, value) VALUES (?, ?) "
                                  "ON CONFLICT (key) DO UPDATE SET value = excluded.value"));
    put.Bind(key).Bind(value);
    return put.Run();
  }

  Status Commit() override {
    GC_TRY_VOID(Execute(connection_.database.get(), "COMMIT"));
    committed_ = true;
    connection_.in_transaction = false;
    return Ok();
  }

 private:
  Result<Statement> Prepare(const char* sql) { return connection_.statements.Prepare(sql); }

  Status RunOnOneRow(Statement& statement, std::string_view what) {
    GC_TRY_VOID(statement.Run());
    if (sqlite3_changes(connection_.database.get()) == 0)
      return Fail(Error::NotFound("the catalog has no such " + std::string(what)));
    return Ok();
  }

  Status Mark(const char* sql, std::string_view what, const Uuid& id, int64_t value) {
    GC_TRY(Statement update, Prepare(sql));
    update.Bind(value).Bind(id);
    return RunOnOneRow(update, what);
  }

  Status RemoveTermsOfDetails(const Uuid& model) {
    GC_TRY(Statement find, Prepare(MODEL_ROW "WHERE id = ?"));
    find.Bind(model);
    GC_TRY(const bool found, find.Step());
    if (!found) return Fail(Error::NotFound("the catalog has no such model"));
    GC_TRY(const Model before, ReadModel(find));
    return RemoveTerms(connection_, model, TermsOf(DetailsOf(before)));
  }

  // A term that went with the asset's fields may be one of a version's too.
  Status AddTermsOfDetails(const Uuid& model, const ModelDetails& details) {
    GC_TRY_VOID(AddTerms(connection_, model, TermsOf(details)));
    GC_TRY(Statement list, Prepare("SELECT fields FROM versions WHERE model = ? AND fields <> ''"));
    list.Bind(model);
    while (true) {
      GC_TRY(const bool row, list.Step());
      if (!row) return Ok();
      GC_TRY(const std::vector<Field> fields, FieldsFromText(list.Text(0)));
      GC_TRY_VOID(AddTerms(connection_, model, TermsOf(fields)));
    }
  }

  Status RefuseCycle(const Lineage& edge) {
    GC_TRY(Statement ask,
           Prepare("WITH RECURSIVE above (version) AS (VALUES (?1) UNION "
                   "SELECT lineage.parent FROM lineage JOIN above ON lineage.child = above.version) "
                   "SELECT 1 FROM above WHERE version = ?2"));
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
    GC_TRY(
        Statement insert,
        Prepare("INSERT INTO version_files (version, path, bytes, sha256, is_graph) VALUES (?, ?, ?, ?, ?)"));
    insert.Bind(version).Bind(file.path).Bind(static_cast<int64_t>(file.bytes)).Bind(file.sha256);
    insert.Bind(int64_t{file.is_graph});
    return insert.Run();
  }

  Connection& connection_;
  bool committed_ = false;
};

}  // namespace

Result<std::unique_ptr<Transaction>> BeginTransaction(Connection& connection) {
  GC_CHECK(!connection.in_transaction);
  GC_TRY_VOID(Execute(connection.database.get(), "BEGIN IMMEDIATE"));
  return std::make_unique<SqliteTransaction>(connection);
}

}  // namespace glasscase::catalog
