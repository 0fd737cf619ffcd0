#include <glasscase/catalog_sqlite/sqlite_catalog.h>

#include <utility>

#include <glasscase/catalog/row_readers.h>

#include "connection.h"
#include "schema.h"

namespace glasscase::catalog {
namespace {

template <typename Row>
Result<std::optional<Row>> One(Statement& statement, Result<Row> (*read)(Statement&)) {
  GC_TRY(const bool found, statement.Step());
  if (!found) return std::optional<Row>();
  GC_TRY(Row row, read(statement));
  return std::optional<Row>(std::move(row));
}

template <typename Row>
Status Each(Statement& statement, Result<Row> (*read)(Statement&), const Visitor<Row>& visit) {
  while (true) {
    GC_TRY(const bool found, statement.Step());
    if (!found) return Ok();
    GC_TRY(const Row row, read(statement));
    GC_TRY_VOID(visit(row));
  }
}

class SqliteCatalog final : public Catalog {
 public:
  explicit SqliteCatalog(Database database)
      : connection_(std::move(database)), journal_(MakeSqliteJournal(connection_)) {}

  Result<std::unique_ptr<Transaction>> Begin() override { return BeginTransaction(connection_); }

  Result<std::optional<Subject>> FindSubject(const Uuid& id) const override {
    GC_TRY(Statement find, Prepare(SUBJECT_ROW "WHERE id = ?"));
    find.Bind(id);
    return One(find, ReadSubject<Statement>);
  }
  Result<std::optional<Subject>> FindSubjectCalled(std::string_view name) const override {
    GC_TRY(Statement find, Prepare(SUBJECT_ROW "WHERE name = ?"));
    find.Bind(name);
    return One(find, ReadSubject<Statement>);
  }
  Result<std::optional<Subject>> FindOwnerOfSlot(uint32_t host_slot) const override {
    GC_TRY(Statement find, Prepare(SUBJECT_ROW "WHERE host_slot = ?"));
    find.Bind(int64_t{host_slot});
    return One(find, ReadSubject<Statement>);
  }
  Status EachSubject(const Visitor<Subject>& visit) const override {
    GC_TRY(Statement all, Prepare(SUBJECT_ROW "ORDER BY rowid"));
    return Each(all, ReadSubject<Statement>, visit);
  }

  Result<std::optional<Token>> FindToken(const Uuid& id) const override {
    GC_TRY(Statement find, Prepare(TOKEN_ROW "WHERE id = ?"));
    find.Bind(id);
    return One(find, ReadToken<Statement>);
  }
  Result<std::optional<Token>> FindTokenByDigest(const Digest& custodian_digest) const override {
    GC_TRY(Statement find, Prepare(TOKEN_ROW "WHERE custodian_digest = ?"));
    find.Bind(custodian_digest);
    return One(find, ReadToken<Statement>);
  }
  Status EachToken(const std::optional<Uuid>& subject, const Visitor<Token>& visit) const override {
    GC_TRY(Statement list,
           Prepare(subject ? TOKEN_ROW "WHERE subject = ? ORDER BY rowid" : TOKEN_ROW "ORDER BY rowid"));
    if (subject) list.Bind(*subject);
    return Each(list, ReadToken<Statement>, visit);
  }

  Result<std::optional<Invitation>> FindInvitationByDigest(const Digest& custodian_digest) const override {
    GC_TRY(Statement find, Prepare(INVITATION_ROW "WHERE custodian_digest = ?"));
    find.Bind(custodian_digest);
    return One(find, ReadInvitation<Statement>);
  }
  Status EachInvitation(const Uuid& subject, const Visitor<Invitation>& visit) const override {
    GC_TRY(Statement list, Prepare(INVITATION_ROW "WHERE subject = ? ORDER BY rowid"));
    list.Bind(subject);
    return Each(list, ReadInvitation<Statement>, visit);
  }

  Result<std::optional<Grant>> FindGrant(const Uuid& id) const override {
    GC_TRY(Statement find, Prepare(GRANT_ROW "WHERE id = ?"));
    find.Bind(id);
    return One(find, ReadGrant<Statement>);
  }
  // One statement per restricting index; the rest of the filter is a parameter that may be NULL.
  Status EachGrant(const GrantFilter& filter, const Visitor<Grant>& visit) const override {
    constexpr char kRest[] =
        "AND (?2 IS NULL OR model = ?2) AND (?3 IS NULL OR revoked = 0) "
        "AND (?4 IS NULL OR model IN (SELECT id FROM models WHERE owner = ?4)) ORDER BY grants.rowid";
    static const std::string by_subject = std::string(GRANT_ROW "WHERE subject = ?1 ") + kRest;
    static const std::string by_model =
        std::string(GRANT_ROW "WHERE model = ?2 AND (?1 IS NULL OR subject = ?1) ") + kRest;
    static const std::string any = std::string(GRANT_ROW "WHERE (?1 IS NULL OR subject = ?1) ") + kRest;
    GC_TRY(Statement list, Prepare((filter.subject ? by_subject : filter.model ? by_model : any).c_str()));
    list.Bind(filter.subject).Bind(filter.model);
    list.Bind(filter.with_revoked ? std::optional<int64_t>() : std::optional<int64_t>(1));
    list.Bind(filter.owner);
    return Each(list, ReadGrant<Statement>, visit);
  }

  Result<std::optional<Model>> FindModel(const Uuid& id) const override {
    GC_TRY(Statement find, Prepare(MODEL_ROW "WHERE id = ?"));
    find.Bind(id);
    return One(find, ReadModel<Statement>);
  }
  Result<std::optional<Model>> FindModelCalled(const Uuid& owner, std::string_view name) const override {
    GC_TRY(Statement find, Prepare(MODEL_ROW "WHERE owner = ? AND name = ?"));
    find.Bind(owner).Bind(name);
    return One(find, ReadModel<Statement>);
  }
  Status EachModel(const std::optional<Uuid>& owner, const Visitor<Model>& visit) const override {
    GC_TRY(Statement list,
           Prepare(owner ? MODEL_ROW "WHERE owner = ? ORDER BY rowid" : MODEL_ROW "ORDER BY rowid"));
    if (owner) list.Bind(*owner);
    return Each(list, ReadModel<Statement>, visit);
  }

  Result<AssetPage> Search(const AssetQuery& query) const override {
    return SearchSqlite(connection_, query);
  }

  Result<std::optional<Version>> FindVersion(const Uuid& id) const override {
    GC_TRY(Statement find, Prepare(VERSION_ROW "WHERE id = ?"));
    find.Bind(id);
    return One(find, ReadVersion<Statement>);
  }
  Result<std::vector<Version>> VersionsOf(const Uuid& model) const override {
    GC_TRY(Statement list, Prepare(VERSION_ROW "WHERE model = ? ORDER BY rowid"));
    list.Bind(model);
    return All<Version>(list, ReadVersion<Statement>);
  }
  Result<std::vector<VersionFile>> FilesOf(const Uuid& version) const override {
    GC_TRY(Statement list, Prepare(FILE_ROW "WHERE version = ? ORDER BY path"));
    list.Bind(version);
    return All<VersionFile>(list, ReadFile<Statement>);
  }

  Result<std::vector<Lineage>> ParentsOf(const Uuid& version) const override {
    return EdgesOf(LINEAGE_ROW "WHERE child = ? ORDER BY created, relation, parent", version);
  }
  Result<std::vector<Lineage>> ChildrenOf(const Uuid& version) const override {
    return EdgesOf(LINEAGE_ROW "WHERE parent = ? ORDER BY created, relation, child", version);
  }

  Result<std::vector<ChainAct>> OpenChainActs() const override {
    GC_TRY(Statement list, Prepare(CHAIN_ACT_ROW "WHERE is_final = 0 ORDER BY ordinal"));
    return All<ChainAct>(list, ReadChainAct<Statement>);
  }
  Result<std::vector<ChainAct>> ChainActsOf(const Uuid& asset) const override {
    GC_TRY(Statement list, Prepare(CHAIN_ACT_ROW "WHERE asset = ? ORDER BY ordinal"));
    list.Bind(asset);
    return All<ChainAct>(list, ReadChainAct<Statement>);
  }
  Status EachChainAct(const Visitor<ChainAct>& visit) const override {
    GC_TRY(Statement all, Prepare(CHAIN_ACT_ROW "ORDER BY ordinal"));
    return Each<ChainAct>(all, ReadChainAct<Statement>, visit);
  }

  Result<std::optional<Run>> FindRun(const Uuid& id) const override {
    GC_TRY(Statement find, Prepare(RUN_ROW "WHERE id = ?"));
    find.Bind(id);
    return One(find, ReadRun<Statement>);
  }
  Result<std::optional<Run>> NextQueuedRun(const Uuid& after_owner) const override {
    GC_TRY(Statement top,
           Prepare("SELECT priority FROM runs WHERE state = 1 ORDER BY priority DESC LIMIT 1"));
    GC_TRY(const bool waits, top.Step());
    if (!waits) return std::optional<Run>();
    const int64_t priority = top.Integer(0);
    GC_TRY(Statement after, Prepare(RUN_ROW "WHERE state = 1 AND priority = ? AND owner > ? "
                                            "ORDER BY owner, ordinal LIMIT 1"));
    after.Bind(priority).Bind(after_owner);
    GC_TRY(auto found, One(after, ReadRun<Statement>));
    if (found) return found;
    GC_TRY(Statement first,
           Prepare(RUN_ROW "WHERE state = 1 AND priority = ? ORDER BY owner, ordinal LIMIT 1"));
    first.Bind(priority);
    return One(first, ReadRun<Statement>);
  }
  Result<std::vector<QueueTurn>> QueueTurns(const std::optional<QueueTurn>& after,
                                            uint32_t limit) const override {
    const QueueTurn begin = after.value_or(QueueTurn{.priority = INT64_MAX});
    GC_TRY(Statement list, Prepare("SELECT DISTINCT priority, owner FROM runs WHERE state = 1 "
                                   "AND (priority < ?1 OR (priority = ?1 AND owner > ?2)) "
                                   "ORDER BY priority DESC, owner LIMIT ?3"));
    list.Bind(begin.priority).Bind(begin.owner).Bind(int64_t{limit});
    return All<QueueTurn>(list, ReadQueueTurn<Statement>);
  }
  Result<std::vector<Run>> QueuedRuns(const QueueTurn& turn, uint32_t limit) const override {
    GC_TRY(Statement list, Prepare(RUN_ROW "WHERE state = 1 AND priority = ? AND owner = ? "
                                           "ORDER BY ordinal LIMIT ?"));
    list.Bind(turn.priority).Bind(turn.owner).Bind(int64_t{limit});
    return All<Run>(list, ReadRun<Statement>);
  }
  Result<std::vector<Run>> ListRuns(const RunQuery& query) const override {
    if (query.after) {
      GC_TRY(const auto after, FindRun(*query.after));
      if (!after) return Fail(NoSuchRun(*query.after));
    }
    // Only the conditions that there are: with "or NULL" beside each, none would find its index.
    std::string text = RUN_ROW;
    const char* word = "WHERE ";
    const auto where = [&](bool is_asked, const char* condition) {
      if (is_asked) text.append(std::exchange(word, " AND ")).append(condition);
    };
    where(query.owner.has_value(), "owner = ?");
    where(query.asset.has_value(), "asset = ?");
    where(query.repeats.has_value(), "repeats = ?");
    where(query.result.has_value(), "result = ?");
    where(query.after.has_value(), "ordinal < (SELECT ordinal FROM runs WHERE id = ?)");
    where(query.only_open, "state < 5");
    GC_TRY(Statement list, Prepare(connection_.texts.Keep(text + " ORDER BY ordinal DESC LIMIT ?")));
    for (const auto& id : {query.owner, query.asset, query.repeats, query.result, query.after})
      if (id) list.Bind(*id);
    list.Bind(int64_t{query.limit});
    return All<Run>(list, ReadRun<Statement>);
  }
  Result<uint32_t> CountOpenRuns(const Uuid& owner) const override {
    GC_TRY(Statement count, Prepare("SELECT count(*) FROM runs WHERE owner = ? AND state < 5"));
    count.Bind(owner);
    GC_TRY(const bool found, count.Step());
    GC_CHECK(found);
    return static_cast<uint32_t>(count.Integer(0));
  }
  Status EachRun(const Visitor<Run>& visit) const override {
    GC_TRY(Statement all, Prepare(RUN_ROW "ORDER BY ordinal"));
    return Each<Run>(all, ReadRun<Statement>, visit);
  }

  ledger::Journal& Journal() override { return *journal_; }

  Result<bool> BlobIsUsed(const Digest& sha256) const override {
    GC_TRY(Statement find,
           Prepare("SELECT 1 FROM version_files JOIN versions ON versions.id = version_files.version "
                   "WHERE version_files.sha256 = ? AND state <> ? LIMIT 1"));
    find.Bind(sha256).Bind(static_cast<int64_t>(VersionState::kErased));
    return find.Step();
  }

  Result<Counts> Count(int64_t now_micros) const override {
    GC_TRY(Statement count,
           Prepare("SELECT (SELECT count(*) FROM subjects), "
                   "(SELECT count(*) FROM tokens WHERE revoked = 0 AND (expires = 0 OR expires > ?1)), "
                   "(SELECT count(*) FROM grants WHERE revoked = 0 AND (expires = 0 OR expires > ?1)), "
                   "(SELECT count(*) FROM models WHERE kind = 1)"));
    count.Bind(now_micros);
    GC_TRY(const bool found, count.Step());
    GC_CHECK(found);
    const auto at = [&](int column) { return static_cast<uint32_t>(count.Integer(column)); };
    return Counts{.subjects = at(0), .tokens = at(1), .grants = at(2), .models = at(3)};
  }

  Result<std::optional<std::string>> Setting(std::string_view key) const override {
    GC_TRY(Statement find, Prepare("SELECT value FROM settings WHERE key = ?"));
    find.Bind(key);
    GC_TRY(const bool found, find.Step());
    return found ? std::optional<std::string>(find.Text(0)) : std::nullopt;
  }

  Status EachSetting(const SettingVisitor& visit) const override {
    GC_TRY(Statement all, Prepare("SELECT key, value FROM settings ORDER BY key"));
    while (true) {
      GC_TRY(const bool found, all.Step());
      if (!found) return Ok();
      GC_TRY_VOID(visit(all.Text(0), all.Text(1)));
    }
  }

  Result<bool> ChangedElsewhere() override {
    GC_TRY(Statement ask, Prepare("PRAGMA data_version"));
    GC_TRY(const bool found, ask.Step());
    GC_CHECK(found);
    const int64_t seen = ask.Integer(0);
    const bool changed = seen != data_version_;
    data_version_ = seen;
    return changed;
  }

  Status MakeSearchReady() { return BringSearchForward(connection_); }

  // Reads every row of every table.
  Status ReadWhole() const {
    GC_TRY_VOID(ExpectNothingFrom("PRAGMA integrity_check", "ok"));
    GC_TRY_VOID(ExpectNothingFrom("PRAGMA foreign_key_check", ""));
    const auto ignore = [](const auto&) { return Ok(); };
    GC_TRY_VOID(EachSubject(ignore));
    GC_TRY_VOID(EachToken(std::nullopt, ignore));
    GC_TRY_VOID(EachGrant({}, ignore));
    GC_TRY_VOID(EachModel(std::nullopt, ignore));
    GC_TRY(Statement invitations, Prepare(INVITATION_ROW));
    GC_TRY_VOID(Each<Invitation>(invitations, ReadInvitation<Statement>, ignore));
    GC_TRY(Statement versions, Prepare(VERSION_ROW));
    GC_TRY_VOID(Each<Version>(versions, ReadVersion<Statement>, ignore));
    GC_TRY(Statement edges, Prepare(LINEAGE_ROW));
    GC_TRY_VOID(Each<Lineage>(edges, ReadLineage<Statement>, ignore));
    GC_TRY(Statement files, Prepare(FILE_ROW));
    GC_TRY_VOID(Each<VersionFile>(files, ReadFile<Statement>, ignore));
    GC_TRY_VOID(EachChainAct(ignore));
    return EachRun(ignore);
  }

 private:
  Result<Statement> Prepare(const char* sql) const { return connection_.statements.Prepare(sql); }

  Result<std::vector<Lineage>> EdgesOf(const char* sql, const Uuid& version) const {
    GC_TRY(Statement list, Prepare(sql));
    list.Bind(version);
    return All<Lineage>(list, ReadLineage<Statement>);
  }

  template <typename Row, typename Read>
  static Result<std::vector<Row>> All(Statement& list, const Read& read) {
    std::vector<Row> rows;
    GC_TRY_VOID(Each<Row>(list, read, [&](const Row& row) {
      rows.push_back(row);
      return Ok();
    }));
    return rows;
  }

  // A check that gives rows only for what is wrong, or the one row `fine`.
  Status ExpectNothingFrom(const char* check, std::string_view fine) const {
    GC_TRY(Statement ask, Prepare(check));
    GC_TRY(const bool row, ask.Step());
    if (!row || (!fine.empty() && ask.Text(0) == fine)) return Ok();
    return Fail(Error::DataLoss("the catalog is damaged: " + std::string(check) + " says " +
                                Printable(ask.Text(0)) +
                                "; `glasscase fsck --repair` makes indexes anew, else restore a backup"));
  }

  mutable Connection connection_;  // search keeps its texts there
  std::unique_ptr<ledger::Journal> journal_;
  int64_t data_version_ = 0;
};

Result<Database> OpenDatabase(const std::string& path, int flags) {
  sqlite3* opened = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &opened, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  Database database(opened);
  if (code != SQLITE_OK)
    return Fail(SqliteError(database.get(), "cannot open the catalog " + Printable(path)));
  sqlite3_extended_result_codes(database.get(), 1);
  sqlite3_busy_timeout(database.get(), 2'000);
  return database;
}

Status Configure(sqlite3* database) {
  sqlite3_db_config(database, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  // The page cache is small: the custodian reads single rows, and its memory is promised to be small.
  return Execute(database,
                 "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
                 "PRAGMA trusted_schema=OFF; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-2048;"
                 "PRAGMA journal_size_limit=8388608;");
}

// The first column of the first row, 0 when there is none.
Result<int64_t> AskInteger(sqlite3* database, const char* sql) {
  StatementCache statements(database);
  GC_TRY(Statement ask, statements.Prepare(sql));
  GC_TRY(const bool row, ask.Step());
  return row ? ask.Integer(0) : 0;
}

Status CheckApplication(sqlite3* database) {
  GC_TRY(const int64_t application, AskInteger(database, "PRAGMA application_id"));
  if (application == kApplicationId) return Ok();
  GC_TRY(const int64_t tables, AskInteger(database, "SELECT count(*) FROM sqlite_master"));
  if (application != 0 || tables != 0)
    return Fail(Error::FailedPrecondition("this SQLite file is not a catalog of Glasscase"));
  return Execute(database, ("PRAGMA application_id=" + std::to_string(kApplicationId)).c_str());
}

}  // namespace

Result<std::unique_ptr<Catalog>> OpenSqliteCatalog(const std::string& path, const Clock& clock,
                                                   SqliteOptions options) {
  GC_TRY(Database database,
         OpenDatabase(path, SQLITE_OPEN_READWRITE | (options.create ? SQLITE_OPEN_CREATE : 0)));
  GC_TRY_VOID(CheckApplication(database.get()));
  GC_TRY_VOID(Configure(database.get()));
  GC_TRY_VOID(BringSchemaForward(database.get(), clock));
  auto catalog = std::make_unique<SqliteCatalog>(std::move(database));
  if (options.read_whole) GC_TRY_VOID(catalog->ReadWhole());
  GC_TRY_VOID(catalog->MakeSearchReady());
  GC_TRY_VOID(catalog->ChangedElsewhere());
  return catalog;
}

Status BackUpSqliteCatalog(const std::string& from, const std::string& to) {
  GC_TRY(const Database source, OpenDatabase(from, SQLITE_OPEN_READWRITE));
  GC_TRY(const Database target, OpenDatabase(to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE));
  sqlite3_backup* backup = sqlite3_backup_init(target.get(), "main", source.get(), "main");
  if (backup == nullptr) return Fail(SqliteError(target.get(), "cannot begin the backup of the catalog"));
  const int code = sqlite3_backup_step(backup, -1);  // in one step: as of one moment
  sqlite3_backup_finish(backup);
  if (code != SQLITE_DONE) return Fail(SqliteError(target.get(), "cannot back the catalog up"));
  // A single file, without a journal beside it.
  return Execute(target.get(), "PRAGMA journal_mode=DELETE");
}

namespace {

Result<bool> IsWhole(Connection& connection) {
  GC_TRY(Statement check, connection.statements.Prepare("PRAGMA integrity_check"));
  GC_TRY(const bool row, check.Step());
  return row && check.Text(0) == "ok";
}

}  // namespace

Result<bool> RepairSqliteIndexes(const std::string& path) {
  GC_TRY(Database database, OpenDatabase(path, SQLITE_OPEN_READWRITE));
  Connection connection(std::move(database));
  GC_TRY(const bool whole, IsWhole(connection));
  if (whole) return false;
  GC_TRY_VOID(Execute(connection.database.get(), "REINDEX"));
  GC_TRY(const bool repaired, IsWhole(connection));
  if (repaired) return true;
  return Fail(Error::DataLoss("the catalog is damaged beyond its indexes; restore a backup"));
}

uint32_t SqliteSchemaVersion() { return LatestSchemaVersion(); }

}  // namespace glasscase::catalog
