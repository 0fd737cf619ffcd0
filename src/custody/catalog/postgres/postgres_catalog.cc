#include <glasscase/catalog_postgres/postgres_catalog.h>

#include "check.h"
#include "readers.h"
#include "schema.h"

namespace glasscase::catalog {
namespace postgres {
namespace {

class PostgresCatalog final : public Catalog {
 public:
  PostgresCatalog(std::string url, const PostgresOptions& options)
      : connection_(std::move(url), options), journal_(MakeJournal(connection_)) {}

  Status Prepare(const Clock& clock, const PostgresOptions& options) {
    GC_TRY_VOID(BringSchemaForward(connection_, clock, options.create));
    if (options.read_whole) GC_TRY_VOID(CheckWhole(connection_));
    GC_TRY_VOID(BringSearchForward(connection_));
    GC_TRY_VOID(connection_.ChangedElsewhere());
    return Ok();
  }

  Result<std::unique_ptr<Transaction>> Begin() override {
    GC_TRY_VOID(connection_.Begin());
    return MakeTransaction(connection_);
  }

  Result<std::optional<Subject>> FindSubject(const Uuid& id) const override {
    Statement find(connection_, SUBJECT_ROW "WHERE id = $1");
    find.Bind(id);
    return One(find, ReadSubject<ResultRow>);
  }
  Result<std::optional<Subject>> FindSubjectCalled(std::string_view name) const override {
    if (!CanBeKept(name)) return std::optional<Subject>();  // nor can it be there
    Statement find(connection_, SUBJECT_ROW "WHERE name = $1");
    find.Bind(name);
    return One(find, ReadSubject<ResultRow>);
  }
  Result<std::optional<Subject>> FindOwnerOfSlot(uint32_t host_slot) const override {
    Statement find(connection_, SUBJECT_ROW "WHERE host_slot = $1");
    find.Bind(int64_t{host_slot});
    return One(find, ReadSubject<ResultRow>);
  }
  Status EachSubject(const Visitor<Subject>& visit) const override {
    Statement all(connection_, SUBJECT_ROW "ORDER BY ordinal");
    return Each(all, ReadSubject<ResultRow>, visit);
  }

  Result<std::optional<Token>> FindToken(const Uuid& id) const override {
    Statement find(connection_, TOKEN_ROW "WHERE id = $1");
    find.Bind(id);
    return One(find, ReadToken<ResultRow>);
  }
  Result<std::optional<Token>> FindTokenByDigest(const Digest& custodian_digest) const override {
    Statement find(connection_, TOKEN_ROW "WHERE custodian_digest = $1");
    find.Bind(custodian_digest);
    return One(find, ReadToken<ResultRow>);
  }
  Status EachToken(const std::optional<Uuid>& subject, const Visitor<Token>& visit) const override {
    Statement list(connection_,
                   subject ? TOKEN_ROW "WHERE subject = $1 ORDER BY ordinal" : TOKEN_ROW "ORDER BY ordinal");
    if (subject) list.Bind(*subject);
    return Each(list, ReadToken<ResultRow>, visit);
  }

  Result<std::optional<Invitation>> FindInvitationByDigest(const Digest& custodian_digest) const override {
    Statement find(connection_, INVITATION_ROW "WHERE custodian_digest = $1");
    find.Bind(custodian_digest);
    return One(find, ReadInvitation<ResultRow>);
  }
  Status EachInvitation(const Uuid& subject, const Visitor<Invitation>& visit) const override {
    Statement list(connection_, INVITATION_ROW "WHERE subject = $1 ORDER BY ordinal");
    list.Bind(subject);
    return Each(list, ReadInvitation<ResultRow>, visit);
  }

  Result<std::optional<Grant>> FindGrant(const Uuid& id) const override {
    Statement find(connection_, GRANT_ROW "WHERE id = $1");
    find.Bind(id);
    return One(find, ReadGrant<ResultRow>);
  }
  // One statement per restricting index; the rest of the filter is a parameter that may be NULL.
  Status EachGrant(const GrantFilter& filter, const Visitor<Grant>& visit) const override {
#define REST                                                                      \
  "AND ($2::uuid IS NULL OR model = $2) AND ($3::bigint IS NULL OR revoked = 0) " \
  "AND ($4::uuid IS NULL OR model IN (SELECT id FROM models WHERE owner = $4)) ORDER BY ordinal"
    constexpr const char* kBySubject = GRANT_ROW "WHERE subject = $1::uuid " REST;
    constexpr const char* kByModel =
        GRANT_ROW "WHERE model = $2 AND ($1::uuid IS NULL OR subject = $1) " REST;
    constexpr const char* kAny = GRANT_ROW "WHERE ($1::uuid IS NULL OR subject = $1) " REST;
#undef REST
    Statement list(connection_, filter.subject ? kBySubject : filter.model ? kByModel : kAny);
    list.Bind(filter.subject).Bind(filter.model);
    list.Bind(filter.with_revoked ? std::optional<int64_t>() : std::optional<int64_t>(1));
    list.Bind(filter.owner);
    return Each(list, ReadGrant<ResultRow>, visit);
  }

  Result<std::optional<Model>> FindModel(const Uuid& id) const override {
    Statement find(connection_, MODEL_ROW "WHERE id = $1");
    find.Bind(id);
    return One(find, ReadModel<ResultRow>);
  }
  Result<std::optional<Model>> FindModelCalled(const Uuid& owner, std::string_view name) const override {
    if (!CanBeKept(name)) return std::optional<Model>();  // nor can it be there
    Statement find(connection_, MODEL_ROW "WHERE owner = $1 AND name = $2");
    find.Bind(owner).Bind(name);
    return One(find, ReadModel<ResultRow>);
  }
  Status EachModel(const std::optional<Uuid>& owner, const Visitor<Model>& visit) const override {
    Statement list(connection_,
                   owner ? MODEL_ROW "WHERE owner = $1 ORDER BY ordinal" : MODEL_ROW "ORDER BY ordinal");
    if (owner) list.Bind(*owner);
    return Each(list, ReadModel<ResultRow>, visit);
  }

  Result<AssetPage> Search(const AssetQuery& query) const override {
    return SearchPostgres(connection_, texts_, query);
  }

  Result<std::optional<Version>> FindVersion(const Uuid& id) const override {
    Statement find(connection_, VERSION_ROW "WHERE id = $1");
    find.Bind(id);
    return One(find, ReadVersion<ResultRow>);
  }
  Result<std::vector<Version>> VersionsOf(const Uuid& model) const override {
    Statement list(connection_, VERSION_ROW "WHERE model = $1 ORDER BY ordinal");
    list.Bind(model);
    return All(list, ReadVersion<ResultRow>);
  }
  Result<std::vector<VersionFile>> FilesOf(const Uuid& version) const override {
    Statement list(connection_, FILE_ROW "WHERE version = $1 ORDER BY path");
    list.Bind(version);
    return All(list, ReadFile<ResultRow>);
  }

  Result<std::vector<Lineage>> ParentsOf(const Uuid& version) const override {
    return EdgesOf(LINEAGE_ROW "WHERE child = $1 ORDER BY created, relation, parent", version);
  }
  Result<std::vector<Lineage>> ChildrenOf(const Uuid& version) const override {
    return EdgesOf(LINEAGE_ROW "WHERE parent = $1 ORDER BY created, relation, child", version);
  }

  Result<std::vector<ChainAct>> OpenChainActs() const override {
    Statement list(connection_, CHAIN_ACT_ROW "WHERE NOT is_final ORDER BY ordinal");
    return All(list, ReadChainAct<ResultRow>);
  }
  Result<std::vector<ChainAct>> ChainActsOf(const Uuid& asset) const override {
    Statement list(connection_, CHAIN_ACT_ROW "WHERE asset = $1 ORDER BY ordinal");
    list.Bind(asset);
    return All(list, ReadChainAct<ResultRow>);
  }
  Status EachChainAct(const Visitor<ChainAct>& visit) const override {
    Statement all(connection_, CHAIN_ACT_ROW "ORDER BY ordinal");
    return Each(all, ReadChainAct<ResultRow>, visit);
  }

  Result<std::optional<Run>> FindRun(const Uuid& id) const override {
    Statement find(connection_, RUN_ROW "WHERE id = $1");
    find.Bind(id);
    return One(find, ReadRun<ResultRow>);
  }
  Result<std::optional<Run>> NextQueuedRun(const Uuid& after_owner) const override {
    Statement top(connection_, "SELECT priority FROM runs WHERE state = 1 ORDER BY priority DESC LIMIT 1");
    GC_TRY(const bool waits, top.Step());
    if (!waits) return std::optional<Run>();
    const int64_t priority = top.row().Integer(0);
    Statement after(connection_, RUN_ROW
                    "WHERE state = 1 AND priority = $1 AND owner > $2 ORDER BY owner, ordinal LIMIT 1");
    after.Bind(priority).Bind(after_owner);
    GC_TRY(auto found, One(after, ReadRun<ResultRow>));
    if (found) return found;
    Statement first(connection_, RUN_ROW "WHERE state = 1 AND priority = $1 ORDER BY owner, ordinal LIMIT 1");
    first.Bind(priority);
    return One(first, ReadRun<ResultRow>);
  }
  Result<std::vector<QueueTurn>> QueueTurns(const std::optional<QueueTurn>& after,
                                            uint32_t limit) const override {
    const QueueTurn begin = after.value_or(QueueTurn{.priority = INT64_MAX});
    Statement list(connection_,
                   "SELECT DISTINCT priority, owner FROM runs WHERE state = 1 "
                   "AND (priority < $1 OR (priority = $1 AND owner > $2)) "
                   "ORDER BY priority DESC, owner LIMIT $3");
    list.Bind(begin.priority).Bind(begin.owner).Bind(int64_t{limit});
    return All(list, ReadQueueTurn<ResultRow>);
  }
  Result<std::vector<Run>> QueuedRuns(const QueueTurn& turn, uint32_t limit) const override {
    Statement list(connection_,
                   RUN_ROW "WHERE state = 1 AND priority = $1 AND owner = $2 ORDER BY ordinal LIMIT $3");
    list.Bind(turn.priority).Bind(turn.owner).Bind(int64_t{limit});
    return All(list, ReadRun<ResultRow>);
  }
  Result<std::vector<Run>> ListRuns(const RunQuery& query) const override {
    if (query.after) {
      GC_TRY(const auto after, FindRun(*query.after));
      if (!after) return Fail(NoSuchRun(*query.after));
    }
    Statement list(connection_, RUN_ROW
                   "WHERE ($1::uuid IS NULL OR owner = $1) AND ($2::uuid IS NULL OR asset = $2) "
                   "AND ($3::uuid IS NULL OR repeats = $3) AND ($4::bigint = 0 OR state < 5) "
                   "AND ($5::uuid IS NULL OR ordinal < (SELECT ordinal FROM runs WHERE id = $5)) "
                   "AND ($6::uuid IS NULL OR result = $6) ORDER BY ordinal DESC LIMIT $7");
    list.Bind(query.owner).Bind(query.asset).Bind(query.repeats).Bind(int64_t{query.only_open});
    list.Bind(query.after).Bind(query.result).Bind(int64_t{query.limit});
    return All(list, ReadRun<ResultRow>);
  }
  Result<uint32_t> CountOpenRuns(const Uuid& owner) const override {
    Statement count(connection_, "SELECT count(*) FROM runs WHERE owner = $1 AND state < 5");
    count.Bind(owner);
    GC_TRY(const bool found, count.Step());
    GC_CHECK(found);
    return static_cast<uint32_t>(count.row().Integer(0));
  }
  Status EachRun(const Visitor<Run>& visit) const override {
    Statement all(connection_, RUN_ROW "ORDER BY ordinal");
    return Each(all, ReadRun<ResultRow>, visit);
  }

  ledger::Journal& Journal() override { return *journal_; }

  Result<bool> BlobIsUsed(const Digest& sha256) const override {
    Statement find(connection_,
                   "SELECT 1 FROM version_files JOIN versions ON versions.id = version_files.version "
                   "WHERE version_files.sha256 = $1 AND state <> $2 LIMIT 1");
    find.Bind(sha256).Bind(static_cast<int64_t>(VersionState::kErased));
    return find.Step();
  }

  Result<Counts> Count(int64_t now_micros) const override {
    Statement count(connection_,
                    "SELECT (SELECT count(*) FROM subjects), "
                    "(SELECT count(*) FROM tokens WHERE revoked = 0 AND (expires = 0 OR expires > $1)), "
                    "(SELECT count(*) FROM grants WHERE revoked = 0 AND (expires = 0 OR expires > $1)), "
                    "(SELECT count(*) FROM models WHERE kind = 1)");
    count.Bind(now_micros);
    GC_TRY(const bool found, count.Step());
    GC_CHECK(found);
    const auto at = [&](int column) { return static_cast<uint32_t>(count.row().Integer(column)); };
    return Counts{.subjects = at(0), .tokens = at(1), .grants = at(2), .models = at(3)};
  }

  Result<std::optional<std::string>> Setting(std::string_view key) const override {
    if (!CanBeKept(key)) return std::optional<std::string>();  // nor can it be there
    Statement find(connection_, "SELECT value FROM settings WHERE key = $1");
    find.Bind(key);
    GC_TRY(const bool found, find.Step());
    return found ? std::optional<std::string>(find.row().Text(0)) : std::nullopt;
  }

  Status EachSetting(const SettingVisitor& visit) const override {
    Statement all(connection_, "SELECT key, value FROM settings ORDER BY key COLLATE \"C\"");
    while (true) {
      GC_TRY(const bool found, all.Step());
      if (!found) return Ok();
      GC_TRY_VOID(visit(all.row().Text(0), all.row().Text(1)));
    }
  }

  Result<bool> ChangedElsewhere() override { return connection_.ChangedElsewhere(); }

 private:
  Result<std::vector<Lineage>> EdgesOf(const char* sql, const Uuid& version) const {
    Statement list(connection_, sql);
    list.Bind(version);
    return All(list, ReadLineage<ResultRow>);
  }

  mutable StatementTexts texts_;   // of the connection's statements
  mutable Connection connection_;  // reading may have to connect again
  std::unique_ptr<ledger::Journal> journal_;
};

}  // namespace
}  // namespace postgres

Result<std::unique_ptr<Catalog>> OpenPostgresCatalog(std::string url, const Clock& clock,
                                                     PostgresOptions options) {
  auto catalog = std::make_unique<postgres::PostgresCatalog>(std::move(url), options);
  GC_TRY_VOID(catalog->Prepare(clock, options));
  return catalog;
}

uint32_t PostgresSchemaVersion() { return postgres::LatestSchemaVersion(); }

}  // namespace glasscase::catalog
