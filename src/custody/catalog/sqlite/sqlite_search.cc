// Search over search_terms, and what keeps that table true.
#include <glasscase/catalog/row_readers.h>
#include <glasscase/catalog/search.h>

#include "connection.h"

namespace glasscase::catalog {
namespace {

class SearchedSqlite final : public SearchedDatabase {
 public:
  explicit SearchedSqlite(Connection& connection) : connection_(connection) {}

  char ParameterMark() const override { return '?'; }
  std::string_view PositionWord() const override { return "instr"; }

  Result<std::optional<int64_t>> OrdinalOf(const Uuid& asset) override {
    GC_TRY(Statement ask, connection_.statements.Prepare("SELECT ordinal FROM models WHERE id = ?"));
    ask.Bind(asset);
    GC_TRY(const bool found, ask.Step());
    return found ? std::optional(ask.Integer(0)) : std::nullopt;
  }
  Result<TermSample> Sample(const std::string& term, int64_t after, int64_t max) override {
    GC_TRY(Statement ask, connection_.statements.Prepare(
                              "SELECT count(*), coalesce(max(asset), 0) FROM (SELECT asset FROM search_terms "
                              "WHERE term = ? AND asset > ? ORDER BY asset LIMIT ?)"));
    ask.Bind(term).Bind(after).Bind(max);
    GC_TRY_VOID(ask.Step());
    return TermSample{.count = ask.Integer(0), .last = ask.Integer(1)};
  }
  Result<std::vector<FoundAsset>> Find(const SqlStatement& statement) override {
    GC_TRY(Statement find, connection_.statements.Prepare(connection_.texts.Keep(statement.text)));
    for (const SqlValue& value : statement.values)
      std::visit([&](const auto& bound) { find.Bind(bound); }, value);
    std::vector<FoundAsset> found;
    while (true) {
      GC_TRY(const bool row, find.Step());
      if (!row) return found;
      GC_TRY(found.emplace_back(), ReadFoundAsset(find));
    }
  }

 private:
  Connection& connection_;
};

// What a statement gives, read before anything is written.
template <typename Row>
Result<std::vector<Row>> ReadAll(Connection& connection, const char* sql, Result<Row> (*read)(Statement&)) {
  GC_TRY(Statement list, connection.statements.Prepare(sql));
  std::vector<Row> rows;
  while (true) {
    GC_TRY(const bool row, list.Step());
    if (!row) return rows;
    GC_TRY(rows.emplace_back(), read(list));
  }
}

Result<std::vector<VersionFile>> FilesOf(Connection& connection, const Uuid& version) {
  GC_TRY(Statement list, connection.statements.Prepare(FILE_ROW "WHERE version = ?"));
  list.Bind(version);
  std::vector<VersionFile> files;
  while (true) {
    GC_TRY(const bool row, list.Step());
    if (!row) return files;
    GC_TRY(files.emplace_back(), ReadFile(list));
  }
}

Result<bool> IsUpToDate(Connection& connection) {
  GC_TRY(Statement ask, connection.statements.Prepare("SELECT value FROM settings WHERE key = ?"));
  ask.Bind(kTermsEditionSetting);
  GC_TRY(const bool found, ask.Step());
  return found && ask.Text(0) == kTermsEdition;
}

Status MakeTerms(Connection& connection) {
  GC_TRY(const auto models, ReadAll<Model>(connection, MODEL_ROW, ReadModel<Statement>));
  for (const Model& model : models) GC_TRY_VOID(AddTerms(connection, model.id, TermsOf(model)));
  GC_TRY(const auto versions, ReadAll<Version>(connection, VERSION_ROW, ReadVersion<Statement>));
  for (const Version& version : versions) {
    GC_TRY(const auto files, FilesOf(connection, version.id));
    GC_TRY_VOID(AddTerms(connection, version.model, TermsOf(version, files)));
  }
  GC_TRY(const auto edges, ReadAll<Lineage>(connection, LINEAGE_ROW, ReadLineage<Statement>));
  for (const Lineage& edge : edges) GC_TRY_VOID(AddAncestors(connection, edge));
  return Ok();
}

Status RunOnEach(Connection& connection, const char* sql, const Uuid& asset,
                 const std::vector<std::string>& terms) {
  for (const std::string& term : terms) {
    GC_TRY(Statement change, connection.statements.Prepare(sql));
    change.Bind(term).Bind(asset);
    GC_TRY_VOID(change.Run());
  }
  return Ok();
}

}  // namespace

Status BringSearchForward(Connection& connection) {
  GC_TRY(const bool up_to_date, IsUpToDate(connection));
  if (up_to_date) return Ok();
  GC_TRY(const auto transaction, BeginTransaction(connection));
  GC_TRY_VOID(Execute(connection.database.get(), "DELETE FROM search_terms"));
  const Status made = MakeTerms(connection);
  if (!made) return Fail(made.error().WithContext("making the terms of the search"));
  GC_TRY_VOID(transaction->SetSetting(kTermsEditionSetting, kTermsEdition));
  return transaction->Commit();
}

Status AddTerms(Connection& connection, const Uuid& asset, const std::vector<std::string>& terms) {
  return RunOnEach(
      connection,
      "INSERT OR IGNORE INTO search_terms (term, asset) SELECT ?1, ordinal FROM models WHERE id = ?2", asset,
      terms);
}

Status RemoveTerms(Connection& connection, const Uuid& asset, const std::vector<std::string>& terms) {
  return RunOnEach(
      connection,
      "DELETE FROM search_terms WHERE term = ?1 AND asset = (SELECT ordinal FROM models WHERE id = ?2)",
      asset, terms);
}

// All that the parent comes from are ancestors of all that come from the child.
Status AddAncestors(Connection& connection, const Lineage& edge) {
  GC_TRY(Statement insert,
         connection.statements.Prepare(
             "WITH RECURSIVE "
             "above (version) AS (VALUES (?1) UNION "
             "  SELECT lineage.parent FROM lineage JOIN above ON lineage.child = above.version), "
             "below (version) AS (VALUES (?2) UNION "
             "  SELECT lineage.child FROM lineage JOIN below ON lineage.parent = below.version), "
             "ancestors (id) AS (SELECT version FROM above UNION "
             "  SELECT versions.model FROM above JOIN versions ON versions.id = above.version) "
             "INSERT OR IGNORE INTO search_terms (term, asset) "
             "SELECT ?3 || lower(hex(ancestors.id)), models.ordinal FROM below "
             "JOIN versions ON versions.id = below.version JOIN models ON models.id = versions.model "
             "JOIN ancestors ON ancestors.id <> models.id"));
  insert.Bind(edge.parent).Bind(edge.child).Bind(kAncestorTerm);
  return insert.Run();
}

Result<AssetPage> SearchSqlite(Connection& connection, const AssetQuery& query) {
  SearchedSqlite database(connection);
  return SearchAssets(query, database);
}

}  // namespace glasscase::catalog
