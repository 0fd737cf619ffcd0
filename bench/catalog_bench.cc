// What search costs: among many assets in SQLite, the first page of each kind of query, and a later one. Wall
// time of whole calls of the catalog. One JSON object: for each kind the 50th and 99th percentile in
// milliseconds.
//
//   catalog_bench FOLDER [ASSETS]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include <glasscase/catalog_sqlite/sqlite_catalog.h>
#include <glasscase/core/clock.h>

namespace {

namespace fs = std::filesystem;
namespace catalog = glasscase::catalog;
using glasscase::Digest;
using glasscase::Uuid;

constexpr int kQueriesOfAKind = 500;
constexpr int kOwners = 20;
constexpr int kGrantsOfTheLearner = 100;
constexpr const char* kWords[] = {"digits", "faces", "iris",  "speech", "traffic",
                                  "leaves", "birds", "scans", "prices", "weather"};

double Milliseconds() {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

Digest DigestOf(uint64_t number) {
  Digest digest{};
  for (size_t i = 0; i < digest.size(); ++i) {
    number = number * 6364136223846793005U + 1442695040888963407U;
    digest[i] = static_cast<uint8_t>(number >> 56U);
  }
  return digest;
}

// A catalog as a large installation has it: names of words and numbers, few licences and types, tags of which
// some are common and most are rare, and lineage of which one dataset has very many descendants.
class Filled {
 public:
  Filled(const fs::path& folder, int assets) : assets_(assets) {
    fs::remove_all(folder);
    fs::create_directories(folder);
    catalog = catalog::OpenSqliteCatalog(folder / "catalog.db", clock_, {.create = true}).value();
    for (int first = 0; first < assets; first += 1'000)
      Change([&](catalog::Transaction& t) { AddSome(t, first); });
  }

  std::unique_ptr<catalog::Catalog> catalog;
  std::vector<Uuid> owners;
  std::vector<Uuid> ids, versions;
  Uuid learner{};

 private:
  void Change(const std::function<void(catalog::Transaction&)>& change) {
    auto transaction = catalog->Begin().value();
    change(*transaction);
    GC_CHECK(transaction->Commit().has_value());
  }

  Uuid AddSubject(catalog::Transaction& t, const std::string& name) {
    const catalog::Subject subject{.id = Uuid::Random(), .name = name};
    GC_CHECK(t.InsertSubject(subject).has_value());
    return subject.id;
  }

  void AddSome(catalog::Transaction& t, int first) {
    if (first == 0) {
      learner = AddSubject(t, "learner");
      for (int i = 0; i < kOwners; ++i) owners.push_back(AddSubject(t, "owner-" + std::to_string(i)));
    }
    for (int i = first; i < std::min(assets_, first + 1'000); ++i) Add(t, i);
  }

  void Add(catalog::Transaction& t, int i) {
    catalog::Model model;
    model.id = Uuid::Random();
    model.owner = owners[static_cast<size_t>(i % kOwners)];
    model.name = std::string(kWords[i % 10]) + "-" + kWords[i / 10 % 10] + "-" + std::to_string(i);
    model.kind = i % 3 == 0 ? catalog::AssetKind::kDataset : catalog::AssetKind::kModel;
    model.licence = i % 2 == 0 ? "CC-BY-4.0" : "MIT";
    model.tags = {i / kOwners % 2 == 0 ? "even" : "odd", "tag-" + std::to_string(i % 5'000)};
    model.fields = {{.key = "site", .value = std::to_string(i % 50)}};
    catalog::Version version;
    version.id = Uuid::Random();
    version.model = model.id;
    version.label = "1";
    version.sha256 = version.manifest_digest = DigestOf(static_cast<uint64_t>(i));
    version.published_by = model.owner;
    version.media_type = i % 4 == 0 ? "text/csv" : "application/onnx";
    GC_CHECK(t.InsertModel(model).has_value());
    GC_CHECK(t.InsertVersion(version, {{.path = "f", .bytes = 1, .sha256 = version.sha256}}).has_value());
    ids.push_back(model.id);
    versions.push_back(version.id);
    if (i > 0) AddParent(t, version.id, i % 2 == 0 ? 0 : static_cast<size_t>(i / 2));
    if (i % (assets_ / kGrantsOfTheLearner) == 0) {
      const catalog::Grant grant{.id = Uuid::Random(), .subject = learner, .model = model.id};
      GC_CHECK(t.InsertGrant(grant).has_value());
    }
  }

  void AddParent(catalog::Transaction& t, const Uuid& child, size_t parent) {
    const catalog::Lineage edge{
        .child = child, .parent = versions[parent], .relation = catalog::Relation::kTrainedOn};
    GC_CHECK(t.InsertLineage(edge).has_value());
  }

  glasscase::SystemClock clock_;
  const int assets_;
};

using Query = catalog::AssetQuery;
using Make = std::function<Query(std::mt19937&)>;
struct Kind {
  const char* name;
  Make make;
};

std::vector<Kind> KindsOf(const Filled& filled, int assets) {
  const auto pick = [](std::mt19937& random, size_t n) { return static_cast<size_t>(random() % n); };
  const auto any = [&filled, pick](std::mt19937& random) { return pick(random, filled.ids.size()); };
  return {
      {"name, part", [=](auto& r) { return Query{.name_part = std::string(kWords[pick(r, 10)]).substr(1)}; }},
      {"name, rare part",
       [=](auto& r) {
         return Query{.name_part = "-" + std::to_string(pick(r, static_cast<size_t>(assets)))};
       }},
      {"name, no such part",
       [=](auto& r) { return Query{.name_part = "seeds-" + std::to_string(pick(r, 1000))}; }},
      {"tag, common", [=](auto& r) { return Query{.tags = {pick(r, 2) == 0 ? "even" : "odd"}}; }},
      {"tag, rare", [=](auto& r) { return Query{.tags = {"tag-" + std::to_string(pick(r, 5'000))}}; }},
      {"digest", [=](auto& r) { return Query{.digest = DigestOf(any(r))}; }},
      {"kind",
       [=](auto& r) {
         return Query{.kind = pick(r, 2) == 0 ? catalog::AssetKind::kModel : catalog::AssetKind::kDataset};
       }},
      {"licence", [=](auto& r) { return Query{.licence = pick(r, 2) == 0 ? "mit" : "cc-by-4.0"}; }},
      {"media type",
       [=](auto& r) { return Query{.media_type = pick(r, 2) == 0 ? "text/csv" : "application/onnx"}; }},
      {"free field",
       [=](auto& r) { return Query{.fields = {{.key = "site", .value = std::to_string(pick(r, 50))}}}; }},
      {"ancestor of very many", [&filled](auto&) { return Query{.ancestor = filled.ids[0]}; }},
      {"ancestor", [=, &filled](auto& r) { return Query{.ancestor = filled.versions[any(r)]}; }},
      {"all at once",
       [=, &filled](auto& r) {
         return Query{.name_part = "digits",
                      .tags = {"even"},
                      .kind = catalog::AssetKind::kModel,
                      .licence = "cc-by-4.0",
                      .fields = {{.key = "site", .value = std::to_string(pick(r, 50))}},
                      .ancestor = filled.ids[0]};
       }},
      {"later page", [=, &filled](auto& r) { return Query{.tags = {"even"}, .after = filled.ids[any(r)]}; }},
      {"own",
       [=, &filled](auto& r) { return Query{.tags = {"even"}, .seen_by = filled.owners[pick(r, kOwners)]}; }},
      {"granted",
       [=, &filled](auto& r) { return Query{.name_part = kWords[pick(r, 10)], .seen_by = filled.learner}; }},
  };
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "catalog_bench FOLDER [ASSETS]\n");
    return 2;
  }
  const int assets = argc > 2 ? std::stoi(argv[2]) : 100'000;
  const Filled filled(argv[1], assets);
  std::mt19937 random(4);
  std::printf("{\"assets\":%d,\"bytes\":%llu,\"kinds\":{", assets,
              static_cast<unsigned long long>(fs::file_size(fs::path(argv[1]) / "catalog.db")));
  const char* separator = "";
  for (const Kind& kind : KindsOf(filled, assets)) {
    std::vector<double> times;
    size_t found = 0;
    for (int i = 0; i < kQueriesOfAKind; ++i) {
      const Query query = kind.make(random);
      const double begin = Milliseconds();
      const catalog::AssetPage page = filled.catalog->Search(query).value();
      times.push_back(Milliseconds() - begin);
      found += page.assets.size();
    }
    std::sort(times.begin(), times.end());
    std::printf("%s\"%s\":{\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"found\":%.1f}", separator, kind.name,
                times[times.size() / 2], times[times.size() * 99 / 100],
                static_cast<double>(found) / kQueriesOfAKind);
    separator = ",";
  }
  std::printf("}}\n");
  fs::remove_all(argv[1]);
  return 0;
}
