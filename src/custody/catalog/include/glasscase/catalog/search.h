// How search finds assets, the same for every adapter that keeps them in a database. The table search_terms
// (term, asset) holds what an asset can be found by, one row per term, the asset by its ordinal: the order of
// registration. Search intersects terms in that order, beginning with a rare one, so that a page costs about
// as much as it has rows. The table is made from the others, and made again when kTermsEdition is another.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <glasscase/catalog/catalog.h>
#include <glasscase/core/error.h>

namespace glasscase::catalog {

// Of how terms are made. Kept as a setting beside the table that was made that way.
inline constexpr std::string_view kTermsEdition = "1";
inline constexpr std::string_view kTermsEditionSetting = "search_terms";

// As search compares what has no case: the letters of ASCII alone, since what others fold to depends on the
// language.
std::string Folded(std::string_view text);

// No term has a line feed.
std::vector<std::string> TermsOf(const Model& asset);
std::vector<std::string> TermsOf(const ModelDetails& details);  // those that change with them
std::vector<std::string> TermsOf(const Version& version, const std::vector<VersionFile>& files);
std::vector<std::string> TermsOf(const std::vector<Field>& fields);
// What the terms of all assets that descend from an asset or a version begin with; its UUID follows as 32
// hexadecimal digits in lower case.
inline constexpr std::string_view kAncestorTerm = "from:";

// The refusal of an edge that would close a cycle.
Error LineageCycle(const Lineage& edge);

using SqlValue = std::variant<std::string, int64_t, Uuid>;
struct SqlStatement {
  std::string text;  // with a parameter for each value: ?1, ?2 or $1, $2
  std::vector<SqlValue> values;
};

struct FoundAsset {
  int64_t ordinal = 0;
  Model model;
};

// How many assets with a term were looked at, and the ordinal of the last: how rare the term is.
struct TermSample {
  int64_t count = 0;
  int64_t last = 0;
};

// What search asks of a database.
class SearchedDatabase {
 public:
  virtual ~SearchedDatabase() = default;
  virtual char ParameterMark() const = 0;             // '?' or '$'
  virtual std::string_view PositionWord() const = 0;  // the function of (text, part) that gives 0 for none
  virtual Result<std::optional<int64_t>> OrdinalOf(const Uuid& asset) = 0;
  // Of the assets with the term after that ordinal, the first `max`.
  virtual Result<TermSample> Sample(const std::string& term, int64_t after, int64_t max) = 0;
  virtual Result<std::vector<FoundAsset>> Find(const SqlStatement& statement) = 0;  // MODEL_ROW
};

Result<AssetPage> SearchAssets(const AssetQuery& query, SearchedDatabase& database);

// Texts of statements that stay where they are: prepared statements are known by their text's place.
class StatementTexts {
 public:
  const char* Keep(const std::string& text) { return texts_.insert(text).first->c_str(); }

 private:
  std::set<std::string> texts_;  // as many as there are combinations of conditions, at most
};

}  // namespace glasscase::catalog
