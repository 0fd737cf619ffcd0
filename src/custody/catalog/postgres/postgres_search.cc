// Search over search_terms, and what keeps that table true.
#include <glasscase/catalog/row_text.h>
#include <glasscase/catalog/search.h>

#include "readers.h"

namespace glasscase::catalog::postgres {
namespace {

class SearchedPostgres final : public SearchedDatabase {
 public:
  SearchedPostgres(Connection& connection, StatementTexts& texts) : connection_(connection), texts_(texts) {}

  char ParameterMark() const override { return '$'; }
  std::string_view PositionWord() const override { return "strpos"; }

  Result<std::optional<int64_t>> OrdinalOf(const Uuid& asset) override {
    Statement ask(connection_, "SELECT ordinal FROM models WHERE id = $1");
    ask.Bind(asset);
    GC_TRY(const bool found, ask.Step());
    return found ? std::optional(ask.row().Integer(0)) : std::nullopt;
  }
  Result<TermSample> Sample(const std::string& term, int64_t after, int64_t max) override {
    if (!CanBeKept(term)) return TermSample();  // nor can it be there
    Statement ask(
        connection_,
        "SELECT count(*), coalesce(max(asset), 0) FROM (SELECT asset FROM search_terms WHERE term = $1 "
        "AND asset > $2 ORDER BY asset LIMIT $3) AS sample");
    ask.Bind(term).Bind(after).Bind(max);
    GC_TRY_VOID(ask.Step());
    return TermSample{.count = ask.row().Integer(0), .last = ask.row().Integer(1)};
  }
  Result<std::vector<FoundAsset>> Find(const SqlStatement& statement) override {
    Statement find(connection_, texts_.Keep(statement.text));
    for (const SqlValue& value : statement.values) {
      const auto* text = std::get_if<std::string>(&value);
      if (text != nullptr && !CanBeKept(*text)) return std::vector<FoundAsset>();
      std::visit([&](const auto& bound) { find.Bind(bound); }, value);
    }
    return All(find, ReadFoundAsset<ResultRow>);
  }

 private:
  Connection& connection_;
  StatementTexts& texts_;
};

Result<bool> IsUpToDate(Connection& connection) {
  Statement ask(connection, "SELECT value FROM settings WHERE key = $1");
  ask.Bind(kTermsEditionSetting);
  GC_TRY(const bool found, ask.Step());
  return found && ask.row().Text(0) == kTermsEdition;
}

Status MakeTerms(Connection& connection) {
  GC_TRY_VOID(connection.Script("DELETE FROM search_terms"));
  Statement models(connection, MODEL_ROW);
  GC_TRY_VOID(Each<Model>(models, ReadModel<ResultRow>, [&](const Model& model) {
    return AddTerms(connection, model.id, TermsOf(model));
  }));
  Statement versions(connection, VERSION_ROW);
  GC_TRY_VOID(Each<Version>(versions, ReadVersion<ResultRow>, [&](const Version& version) -> Status {
    Statement list(connection, FILE_ROW "WHERE version = $1");
    list.Bind(version.id);
    GC_TRY(const auto files, All(list, ReadFile<ResultRow>));
    return AddTerms(connection, version.model, TermsOf(version, files));
  }));
  Statement edges(connection, LINEAGE_ROW);
  return Each<Lineage>(edges, ReadLineage<ResultRow>,
                       [&](const Lineage& edge) { return AddAncestors(connection, edge); });
}

Status RunOnTerms(Connection& connection, const char* sql, const Uuid& asset,
                  const std::vector<std::string>& terms) {
  if (terms.empty()) return Ok();
  Statement change(connection, sql);
  std::string lines = LinesToText(terms);
  lines.pop_back();
  change.Bind(lines).Bind(asset);
  GC_TRY_VOID(change.Run());
  return Ok();
}

}  // namespace

Status BringSearchForward(Connection& connection) {
  GC_TRY(bool up_to_date, IsUpToDate(connection));
  if (up_to_date) return Ok();
  GC_TRY_VOID(connection.Begin());
  const auto transaction = MakeTransaction(connection);
  GC_TRY(up_to_date, IsUpToDate(connection));  // another process may have been first
  if (up_to_date) return Ok();
  const Status made = MakeTerms(connection);
  if (!made) return Fail(made.error().WithContext("making the terms of the search"));
  GC_TRY_VOID(transaction->SetSetting(kTermsEditionSetting, kTermsEdition));
  return transaction->Commit();
}

Status AddTerms(Connection& connection, const Uuid& asset, const std::vector<std::string>& terms) {
  return RunOnTerms(connection,
                    "INSERT INTO search_terms (term, asset) SELECT term, models.ordinal FROM models, "
                    "unnest(string_to_array($1, E'\\n')) AS term WHERE models.id = $2 ON CONFLICT DO NOTHING",
                    asset, terms);
}

Status RemoveTerms(Connection& connection, const Uuid& asset, const std::vector<std::string>& terms) {
  return RunOnTerms(connection,
                    "DELETE FROM search_terms WHERE term = ANY (string_to_array($1, E'\\n')) AND asset = "
                    "(SELECT ordinal FROM models WHERE id = $2)",
                    asset, terms);
}

// All that the parent comes from are ancestors of all that come from the child.
Status AddAncestors(Connection& connection, const Lineage& edge) {
  Statement insert(connection,
                   "WITH RECURSIVE "
                   "above (version) AS (SELECT $1::uuid UNION "
                   "  SELECT lineage.parent FROM lineage JOIN above ON lineage.child = above.version), "
                   "below (version) AS (SELECT $2::uuid UNION "
                   "  SELECT lineage.child FROM lineage JOIN below ON lineage.parent = below.version), "
                   "ancestors (id) AS (SELECT version FROM above UNION "
                   "  SELECT versions.model FROM above JOIN versions ON versions.id = above.version) "
                   "INSERT INTO search_terms (term, asset) "
                   "SELECT DISTINCT $3 || replace(ancestors.id::text, '-', ''), models.ordinal FROM below "
                   "JOIN versions ON versions.id = below.version JOIN models ON models.id = versions.model "
                   "JOIN ancestors ON ancestors.id <> models.id ON CONFLICT DO NOTHING");
  insert.Bind(edge.parent).Bind(edge.child).Bind(kAncestorTerm);
  GC_TRY_VOID(insert.Run());
  return Ok();
}

Result<AssetPage> SearchPostgres(Connection& connection, StatementTexts& texts, const AssetQuery& query) {
  SearchedPostgres database(connection, texts);
  return SearchAssets(query, database);
}

}  // namespace glasscase::catalog::postgres
