#include <glasscase/catalog/copy.h>

#include <glasscase/catalog/row_text.h>
#include <glasscase/catalog/search.h>
#include <glasscase/crypto/sha256.h>

namespace glasscase::catalog {
namespace {

// What a walk over a catalog calls for each row.
class RowSink {
 public:
  virtual ~RowSink() = default;
  virtual Status Take(const Subject& subject) = 0;
  virtual Status Take(const Token& token) = 0;
  virtual Status Take(const Invitation& invitation) = 0;
  virtual Status Take(const Model& model) = 0;
  virtual Status Take(const Version& version, const std::vector<VersionFile>& files) = 0;
  virtual Status TakeDefault(const Uuid& model, const Uuid& version) = 0;  // when its versions are there
  virtual Status Take(const Lineage& edge) = 0;                            // when all versions are there
  virtual Status Take(const Grant& grant) = 0;
  virtual Status Take(const ChainAct& act) = 0;
  virtual Status Take(const Run& run) = 0;
  virtual Status TakeSetting(const std::string& key, const std::string& value) = 0;
};

Status WalkModel(Catalog& from, const Model& model, RowSink& sink) {
  GC_TRY_VOID(sink.Take(model));
  GC_TRY(const auto versions, from.VersionsOf(model.id));
  for (const Version& version : versions) {
    GC_TRY(const auto files, from.FilesOf(version.id));
    GC_TRY_VOID(sink.Take(version, files));
  }
  return sink.TakeDefault(model.id, model.default_version);
}

Status WalkLineage(Catalog& from, const Model& model, RowSink& sink) {
  GC_TRY(const auto versions, from.VersionsOf(model.id));
  for (const Version& version : versions) {
    GC_TRY(const auto parents, from.ParentsOf(version.id));
    for (const Lineage& edge : parents) GC_TRY_VOID(sink.Take(edge));
  }
  return Ok();
}

// In an order in which everything that a row refers to was there before.
Status Walk(Catalog& from, RowSink& sink) {
  GC_TRY_VOID(from.EachSubject([&](const Subject& subject) { return sink.Take(subject); }));
  GC_TRY_VOID(from.EachToken(std::nullopt, [&](const Token& token) { return sink.Take(token); }));
  GC_TRY_VOID(from.EachSubject([&](const Subject& subject) {
    return from.EachInvitation(subject.id, [&](const Invitation& one) { return sink.Take(one); });
  }));
  GC_TRY_VOID(from.EachModel(std::nullopt, [&](const Model& model) { return WalkModel(from, model, sink); }));
  GC_TRY_VOID(
      from.EachModel(std::nullopt, [&](const Model& model) { return WalkLineage(from, model, sink); }));
  GC_TRY_VOID(from.EachGrant({}, [&](const Grant& grant) { return sink.Take(grant); }));
  GC_TRY_VOID(from.EachChainAct([&](const ChainAct& act) { return sink.Take(act); }));
  GC_TRY_VOID(from.EachRun([&](const Run& run) { return sink.Take(run); }));
  return from.EachSetting([&](const std::string& key, const std::string& value) {
    return key == kTermsEditionSetting ? Ok() : sink.TakeSetting(key, value);
  });
}

class Copier final : public RowSink {
 public:
  explicit Copier(Transaction& to) : to_(to) {}
  Status Take(const Subject& subject) override { return to_.InsertSubject(subject); }
  Status Take(const Token& token) override { return to_.InsertToken(token); }
  Status Take(const Invitation& invitation) override { return to_.InsertInvitation(invitation); }
  Status Take(const Model& model) override {
    Model without_default = model;
    without_default.default_version = Uuid{};
    return to_.InsertModel(without_default);
  }
  Status Take(const Version& version, const std::vector<VersionFile>& files) override {
    return to_.InsertVersion(version, files);
  }
  Status TakeDefault(const Uuid& model, const Uuid& version) override {
    return version == Uuid{} ? Ok() : to_.SetDefaultVersion(model, version);
  }
  Status Take(const Lineage& edge) override { return to_.InsertLineage(edge); }
  Status Take(const Grant& grant) override { return to_.InsertGrant(grant); }
  Status Take(const ChainAct& act) override { return to_.InsertChainAct(act); }
  Status Take(const Run& run) override { return to_.InsertRun(run); }
  Status TakeSetting(const std::string& key, const std::string& value) override {
    return to_.SetSetting(key, value);
  }

 private:
  Transaction& to_;
};

class Digester final : public RowSink {
 public:
  Status Take(const Subject& subject) override {
    return Begin("subject")
        .Add(subject.id)
        .Add(subject.name)
        .Add(int64_t{subject.roles})
        .Add(subject.host_slot ? int64_t{*subject.host_slot} : -1)
        .Add(subject.added_by)
        .Add(subject.created_micros)
        .End();
  }
  Status Take(const Token& token) override {
    Begin("token").Add(token.id).Add(token.subject).Add(token.edge_digest).Add(token.host_digest);
    Add(token.custodian_digest).Add(token.hint).Add(token.created_micros).Add(token.expires_micros);
    return Add(token.last_used_micros).Add(token.revoked_micros).End();
  }
  Status Take(const Invitation& invitation) override {
    Begin("invitation").Add(invitation.id).Add(invitation.subject).Add(invitation.custodian_digest);
    Add(invitation.token_lifetime_micros).Add(invitation.created_micros).Add(invitation.expires_micros);
    return Add(invitation.redeemed_micros).Add(invitation.revoked_micros).End();
  }
  Status Take(const Model& model) override {
    Begin("model").Add(model.id).Add(model.owner).Add(model.name).Add(model.created_micros);
    Add(static_cast<int64_t>(model.kind));
    Add(model.secret ? AsText(*model.secret) : std::string_view()).Add(model.licence);
    return Add(LinesToText(model.tags)).Add(FieldsToText(model.fields)).Add(model.card).End();
  }
  Status Take(const Version& version, const std::vector<VersionFile>& files) override {
    Begin("version").Add(version.id).Add(version.model).Add(version.label);
    Add(static_cast<int64_t>(version.state)).Add(version.note).Add(int64_t{version.faults});
    Add(version.sha256).Add(version.manifest_digest).Add(static_cast<int64_t>(version.bytes));
    Add(TensorsToText(version.inputs)).Add(TensorsToText(version.outputs));
    Add(int64_t{version.rows_independent}).Add(version.rows_reason).Add(version.producer);
    Add(version.runtime_version).Add(version.parameters).Add(version.card).Add(version.published_by);
    Add(version.created_micros).Add(int64_t{version.hostable}).Add(version.media_type);
    Add(FieldsToText(version.fields)).Add(static_cast<int64_t>(files.size()));
    for (const VersionFile& file : files)
      Add(file.path).Add(static_cast<int64_t>(file.bytes)).Add(file.sha256).Add(int64_t{file.is_graph});
    return End();
  }
  Status TakeDefault(const Uuid& model, const Uuid& version) override {
    return Begin("default").Add(model).Add(version).End();
  }
  Status Take(const Lineage& edge) override {
    Begin("lineage").Add(edge.child).Add(edge.parent).Add(static_cast<int64_t>(edge.relation));
    return Add(int64_t{edge.witnessed}).Add(edge.created_micros).End();
  }
  Status Take(const Grant& grant) override {
    Begin("grant").Add(grant.id).Add(grant.subject).Add(grant.model).Add(grant.version).Add(grant.action);
    Add(grant.quota ? int64_t{grant.quota->calls} : -1);
    Add(grant.quota ? static_cast<int64_t>(grant.quota->period_ns) : -1);
    return Add(grant.created_micros).Add(grant.expires_micros).Add(grant.revoked_micros).End();
  }
  Status Take(const ChainAct& act) override {
    Begin("chain act").Add(act.id).Add(static_cast<int64_t>(act.kind)).Add(act.asset).Add(act.version);
    Add(act.created_micros).Add(act.kept).Add(int64_t{act.is_final}).Add(act.state);
    return Add(act.transaction).Add(act.contract).Add(act.note).End();
  }
  Status Take(const Run& run) override {
    Begin("run").Add(run.id).Add(run.owner).Add(run.asset).Add(run.label).Add(run.recipe);
    Add(run.recipe_sha256).Add(run.priority).Add(static_cast<int64_t>(run.state)).Add(run.reason);
    Add(int64_t{run.attempts}).Add(run.worker).Add(run.created_micros).Add(run.started_micros);
    Add(run.ended_micros).Add(run.result).Add(run.repeats).Add(run.record);
    return Add(run.translates).Add(run.wanted_worker).Add(run.evidence).End();
  }
  Status TakeSetting(const std::string& key, const std::string& value) override {
    return Begin("setting").Add(key).Add(value).End();
  }

  RowsDigest Finish() { return {.sha256 = hash_.Finish(), .rows = rows_}; }

 private:
  Digester& Begin(std::string_view table) {
    ++rows_;
    return Add(table);
  }
  Digester& Add(std::string_view value) {
    const std::string length = std::to_string(value.size()) + ":";
    hash_.Update(AsBytes(length));
    hash_.Update(AsBytes(value));
    return *this;
  }
  Digester& Add(const std::string& value) { return Add(std::string_view(value)); }
  Digester& Add(int64_t value) { return Add(std::string_view(std::to_string(value))); }
  Digester& Add(const Uuid& id) { return Add(id.AsBytes()); }
  Digester& Add(const Digest& digest) { return Add(AsText(digest)); }
  static Status End() { return Ok(); }

  Sha256Stream hash_;
  uint64_t rows_ = 0;
};

}  // namespace

Status CopyRows(Catalog& from, Catalog& to) {
  GC_TRY(const auto installation, to.Setting(kInstallationSetting));
  if (installation)
    return Fail(Error::AlreadyExists("there is a catalog already, of installation " + *installation));
  GC_TRY(auto transaction, to.Begin());
  Copier copier(*transaction);
  GC_TRY_VOID(Walk(from, copier));
  return transaction->Commit();
}

Result<RowsDigest> DigestRows(Catalog& catalog) {
  Digester digester;
  GC_TRY_VOID(Walk(catalog, digester));
  return digester.Finish();
}

}  // namespace glasscase::catalog
