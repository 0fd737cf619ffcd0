#include <glasscase/catalog/search.h>

#include <algorithm>
#include <iterator>
#include <optional>

#include <glasscase/catalog/row_readers.h>
#include <glasscase/core/bytes.h>

namespace glasscase::catalog {
namespace {

constexpr size_t kGramBytes = 3;
constexpr size_t kGramsAsked = 6;         // of a part of a name; the part itself is compared in any case
constexpr int64_t kSampleMax = 500;       // assets by which a term is judged
constexpr size_t kDigestCharacters = 32;  // of 64: enough that nobody meets another's

std::string HexOf(const Uuid& id) { return ToHex(AsBytes(id.AsBytes())); }
std::string DigestTerm(const Digest& digest) {
  return "sha256:" + ToHex(digest).substr(0, kDigestCharacters);
}
std::string KindTerm(AssetKind kind) { return "kind:" + std::to_string(static_cast<int>(kind)); }
std::string OwnerTerm(const Uuid& owner) { return "owner:" + HexOf(owner); }
std::string LicenceTerm(std::string_view licence) { return "licence:" + Folded(licence); }
std::string TypeTerm(std::string_view type) { return "type:" + Folded(type); }
std::string TagTerm(std::string_view tag) { return "tag:" + Folded(tag); }
std::string FieldTerm(const Field& field) { return "field:" + Folded(field.key) + "=" + field.value; }
std::string NameTerm(std::string_view name) { return "name:" + std::string(name); }
std::string GramTerm(std::string_view name, size_t at) {
  return "~" + std::string(name.substr(at, kGramBytes));
}

void Unite(std::vector<std::string>& terms) {
  std::sort(terms.begin(), terms.end());
  terms.erase(std::unique(terms.begin(), terms.end()), terms.end());
}

// Some of what a longer part of a name is made of. The name itself is compared too, so that one of them will
// do.
std::vector<std::string> GramsOf(const std::string& part) {
  std::vector<std::string> grams;
  if (part.size() < kGramBytes) return grams;
  const size_t there = part.size() - kGramBytes + 1;
  const size_t asked = std::min(there, kGramsAsked);
  for (size_t i = 0; i < asked; ++i) grams.push_back(GramTerm(part, i * there / asked));
  Unite(grams);
  return grams;
}

// The conditions of a query as terms, without whose view it is and without a longer part of a name.
std::vector<std::string> TermsOf(const AssetQuery& query) {
  std::vector<std::string> terms;
  if (!query.name.empty()) terms.push_back(NameTerm(Folded(query.name)));
  if (!query.name_part.empty() && query.name_part.size() < kGramBytes)
    terms.push_back(NameTerm(Folded(query.name_part)));
  for (const std::string& tag : query.tags) terms.push_back(TagTerm(tag));
  if (query.digest) terms.push_back(DigestTerm(*query.digest));
  if (query.kind) terms.push_back(KindTerm(*query.kind));
  if (!query.licence.empty()) terms.push_back(LicenceTerm(query.licence));
  if (!query.media_type.empty()) terms.push_back(TypeTerm(query.media_type));
  for (const Field& field : query.fields) terms.push_back(FieldTerm(field));
  if (query.ancestor) terms.push_back(std::string(kAncestorTerm) + HexOf(*query.ancestor));
  Unite(terms);
  return terms;
}

// Puts a statement together with its values.
class Writer {
 public:
  explicit Writer(const SearchedDatabase& database) : database_(database) {}

  Writer& Text(std::string_view text) {
    statement_.text += text;
    return *this;
  }
  Writer& Value(SqlValue value) {
    statement_.values.push_back(std::move(value));
    statement_.text += database_.ParameterMark() + std::to_string(statement_.values.size());
    return *this;
  }
  // The asset whose ordinal `column` holds has the terms, and the part in its name.
  Writer& Conditions(std::string_view column, const std::vector<std::string>& terms,
                     const std::string& part) {
    for (const std::string& term : terms)
      Text(" AND EXISTS (SELECT 1 FROM search_terms AS s WHERE s.term = ")
          .Value(term)
          .Text(" AND s.asset = ")
          .Text(column)
          .Text(")");
    if (part.size() <= kGramBytes) return *this;  // shorter ones are terms
    return Text(" AND EXISTS (SELECT 1 FROM models AS n WHERE n.ordinal = ")
        .Text(column)
        .Text(" AND ")
        .Text(database_.PositionWord())
        .Text("(n.name, ")
        .Value(part)
        .Text(") > 0)");
  }
  SqlStatement Take() { return std::move(statement_); }

 private:
  const SearchedDatabase& database_;
  SqlStatement statement_;
};

// One search: the terms, where the page begins, how many rows are asked for.
struct Search {
  const AssetQuery& query;
  SearchedDatabase& database;
  std::vector<std::string> terms;
  std::string part;  // of the name
  int64_t after = 0;
  int64_t rows = 0;  // one more than the page has
};

SqlStatement EveryAsset(const Search& search) {
  Writer writer(search.database);
  writer.Text(MODEL_ROW "WHERE ordinal > ").Value(search.after).Text(" ORDER BY ordinal LIMIT ");
  return writer.Value(search.rows).Take();
}

// `terms` are not empty; the first leads.
SqlStatement WithTerms(const Search& search, std::vector<std::string> terms) {
  Writer writer(search.database);
  const std::string first = terms.front();
  terms.erase(terms.begin());
  writer.Text(MODEL_ROW "WHERE ordinal IN (SELECT d.asset FROM search_terms AS d WHERE d.term = ")
      .Value(first);
  writer.Text(" AND d.asset > ").Value(search.after).Conditions("d.asset", terms, search.part);
  writer.Text(" ORDER BY d.asset LIMIT ").Value(search.rows).Text(") ORDER BY ordinal");
  return writer.Take();
}

// Led by the grants of the subject, who has few beside what there is.
SqlStatement Granted(const Search& search, const Uuid& subject) {
  Writer writer(search.database);
  writer
      .Text(MODEL_ROW
            "WHERE ordinal IN (SELECT m.ordinal FROM grants AS g JOIN models AS m ON m.id = g.model ")
      .Text("WHERE g.subject = ")
      .Value(subject)
      .Text(" AND g.revoked = 0 AND (g.expires = 0 OR g.expires > ")
      .Value(search.query.now_micros)
      .Text(") AND m.owner <> ")
      .Value(subject)
      .Text(" AND m.ordinal > ")
      .Value(search.after)
      .Text(
          " AND EXISTS (SELECT 1 FROM versions AS v WHERE v.model = m.id AND v.state IN (1, 4) AND "
          "(g.version ")
      .Text("IS NULL OR v.id = g.version))")
      .Conditions("m.ordinal", search.terms, search.part);
  return writer.Text(") ORDER BY ordinal LIMIT ").Value(search.rows).Take();
}

// How many rows a search that is led by this term looks at before it ends, or before it has come as far as
// one led by another term would.
bool IsRarer(const TermSample& a, const TermSample& b) {
  const bool a_is_whole = a.count < kSampleMax;
  const bool b_is_whole = b.count < kSampleMax;
  if (a_is_whole || b_is_whole) return a_is_whole && (!b_is_whole || a.count < b.count);
  return a.last > b.last;
}

struct Sampled {
  std::string term;
  TermSample sample;
};

// The rarest first. Nothing when one of them is nowhere on this page or a later one.
Result<std::vector<Sampled>> SampleAll(SearchedDatabase& database, int64_t after,
                                       const std::vector<std::string>& terms) {
  std::vector<Sampled> sampled;
  for (const std::string& term : terms) {
    GC_TRY(const TermSample sample, database.Sample(term, after, kSampleMax));
    if (sample.count == 0) return std::vector<Sampled>();
    sampled.push_back({.term = term, .sample = sample});
  }
  std::stable_sort(sampled.begin(), sampled.end(),
                   [](const Sampled& a, const Sampled& b) { return IsRarer(a.sample, b.sample); });
  return sampled;
}

Result<std::vector<FoundAsset>> FindOwn(const Search& search) {
  std::vector<std::string> terms = search.terms;
  if (search.query.seen_by) terms.push_back(OwnerTerm(*search.query.seen_by));
  if (terms.empty()) return search.database.Find(EveryAsset(search));
  if (terms.size() > 1) {
    GC_TRY(const std::vector<Sampled> sampled, SampleAll(search.database, search.after, terms));
    if (sampled.empty()) return std::vector<FoundAsset>();
    std::transform(sampled.begin(), sampled.end(), terms.begin(), [](const Sampled& s) { return s.term; });
  }
  return search.database.Find(WithTerms(search, std::move(terms)));
}

// Where the page begins, what it is searched by. None when there is nothing to find.
Result<std::optional<Search>> Prepare(const AssetQuery& query, SearchedDatabase& database) {
  Search search{
      .query = query, .database = database, .terms = TermsOf(query), .part = Folded(query.name_part)};
  if (search.terms.size() > kConditionsMax)
    return Fail(
        Error::InvalidArgument("a search has at most " + std::to_string(kConditionsMax) + " conditions"));
  search.rows = int64_t{query.limit} + 1;
  if (query.after) {
    GC_TRY(const auto ordinal, database.OrdinalOf(*query.after));
    if (!ordinal)
      return Fail(Error::InvalidArgument("after: no page ended with " + query.after->ToString() +
                                         "; take it from the answer before"));
    search.after = *ordinal;
  }
  const std::vector<std::string> grams = GramsOf(search.part);
  if (grams.empty()) return std::optional(std::move(search));
  GC_TRY(const std::vector<Sampled> sampled, SampleAll(database, search.after, grams));
  if (sampled.empty()) return std::optional<Search>();
  search.terms.push_back(sampled.front().term);
  return std::optional(std::move(search));
}

}  // namespace

std::string Folded(std::string_view text) {
  std::string folded(text);
  for (char& c : folded)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return folded;
}

ModelDetails DetailsOf(const Model& model) {
  return {.licence = model.licence, .tags = model.tags, .fields = model.fields, .card = model.card};
}

Error LineageCycle(const Lineage& edge) {
  return Error::FailedPrecondition("version " + edge.parent.ToString() + " was itself made from version " +
                                   edge.child.ToString() + ": nothing is made from what comes from it");
}

std::vector<std::string> TermsOf(const std::vector<Field>& fields) {
  std::vector<std::string> terms;
  terms.reserve(fields.size());
  for (const Field& field : fields) terms.push_back(FieldTerm(field));
  Unite(terms);
  return terms;
}

std::vector<std::string> TermsOf(const ModelDetails& details) {
  std::vector<std::string> terms = TermsOf(details.fields);
  if (!details.licence.empty()) terms.push_back(LicenceTerm(details.licence));
  for (const std::string& tag : details.tags) terms.push_back(TagTerm(tag));
  Unite(terms);
  return terms;
}

std::vector<std::string> TermsOf(const Model& asset) {
  std::vector<std::string> terms = TermsOf(DetailsOf(asset));
  terms.push_back(OwnerTerm(asset.owner));
  terms.push_back(KindTerm(asset.kind));
  terms.push_back(NameTerm(asset.name));
  for (size_t i = 0; i + kGramBytes <= asset.name.size(); ++i) terms.push_back(GramTerm(asset.name, i));
  Unite(terms);
  return terms;
}

std::vector<std::string> TermsOf(const Version& version, const std::vector<VersionFile>& files) {
  std::vector<std::string> terms = TermsOf(version.fields);
  if (!version.media_type.empty()) terms.push_back(TypeTerm(version.media_type));
  terms.push_back(DigestTerm(version.sha256));
  terms.push_back(DigestTerm(version.manifest_digest));
  for (const VersionFile& file : files) terms.push_back(DigestTerm(file.sha256));
  Unite(terms);
  return terms;
}

Result<AssetPage> SearchAssets(const AssetQuery& query, SearchedDatabase& database) {
  GC_TRY(const std::optional<Search> search, Prepare(query, database));
  if (!search) return AssetPage();
  GC_TRY(std::vector<FoundAsset> found, FindOwn(*search));
  if (query.seen_by) {
    GC_TRY(std::vector<FoundAsset> granted, database.Find(Granted(*search, *query.seen_by)));
    std::move(granted.begin(), granted.end(), std::back_inserter(found));
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.ordinal < b.ordinal; });
  AssetPage page{.assets = {}, .more = found.size() > query.limit};
  if (page.more) found.resize(query.limit);
  for (FoundAsset& asset : found) page.assets.push_back(std::move(asset.model));
  return page;
}

}  // namespace glasscase::catalog
