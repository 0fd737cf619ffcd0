// What search finds in every catalog, as tests. Instantiated like CatalogContract.
#pragma once

#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <glasscase/catalog/search.h>
#include <glasscase/catalog/testing/catalog_contract.h>

namespace glasscase::catalog::testing {

class SearchContract : public CatalogContract {
 protected:
  void SetUp() override {
    Change([&](Transaction& t) -> Status {
      GC_TRY_VOID(t.InsertSubject(owner));
      return t.InsertSubject(learner);
    });
  }
  // An asset of the owner with one version; `adjust` may alter both before they are kept.
  using Adjust = std::function<void(Model&, Version&)>;
  Model Add(const std::string& name, const Adjust& adjust = {}, const std::vector<Lineage>& lineage = {}) {
    Model asset = SomeModel(owner.id, name);
    Version made = SomeVersion(asset, "1");
    made.sha256 = made.manifest_digest = DigestOf(static_cast<uint8_t>(++added));
    if (adjust) adjust(asset, made);
    Change([&](Transaction& t) -> Status {
      GC_TRY_VOID(t.InsertModel(asset));
      GC_TRY_VOID(
          t.InsertVersion(made, {{.path = "f", .bytes = 12, .sha256 = made.sha256, .is_graph = false}}));
      for (Lineage edge : lineage) {
        edge.child = made.id;
        GC_TRY_VOID(t.InsertLineage(edge));
      }
      return Ok();
    });
    versions[asset.id] = made;
    return asset;
  }
  Lineage From(const Model& parent) {
    return {.child = {}, .parent = versions[parent.id].id, .relation = Relation::kDerivedFrom};
  }
  std::vector<std::string> Names(const AssetQuery& query) {
    const auto page = catalog->Search(query);
    EXPECT_TRUE(page) << page.error().message();
    std::vector<std::string> names;
    for (const Model& asset : page.value_or(AssetPage()).assets) names.push_back(asset.name);
    return names;
  }

  int added = 0;
  std::map<Uuid, Version> versions;  // by asset
};

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST_P(SearchContract, NamesAreFoundByTheirParts) {
  Add("digits");
  Add("digits-data");
  Add("mnist");
  Add("nn");
  EXPECT_THAT(Names({.name_part = "digit"}), ElementsAre("digits", "digits-data"));
  EXPECT_THAT(Names({.name_part = "its-da"}), ElementsAre("digits-data"));
  EXPECT_THAT(Names({.name_part = "DIGITS"}), ElementsAre("digits", "digits-data"));
  EXPECT_THAT(Names({.name_part = "ist"}), ElementsAre("mnist"));
  EXPECT_THAT(Names({.name_part = "nn"}), ElementsAre("nn"));
  EXPECT_THAT(Names({.name_part = "mn"}), IsEmpty()) << "a part shorter than three is the whole name";
  EXPECT_THAT(Names({.name_part = "tits-dig"}), IsEmpty());
  EXPECT_THAT(Names({.name_part = "dig%"}), IsEmpty());
  EXPECT_THAT(Names({.name = "digits"}), ElementsAre("digits"));
  EXPECT_THAT(Names({.name_part = std::string("dig\0", 4)}), IsEmpty());
  EXPECT_THAT(Names({.name_part = "dig\xff"}), IsEmpty());
}

TEST_P(SearchContract, EveryMemberRestricts) {
  Add("plain");
  Add("full", [](Model& row, Version& its) {
    row.kind = AssetKind::kDataset;
    row.tags = {"Images", "small"};
    row.licence = "CC-BY-4.0";
    row.fields = {{"Site", "north=2"}};
    its.media_type = "text/csv";
    its.fields = {{"rows", "1797"}};
  });
  EXPECT_THAT(Names({}), ElementsAre("plain", "full"));
  EXPECT_THAT(Names({.tags = {"images"}}), ElementsAre("full"));
  EXPECT_THAT(Names({.tags = {"small", "IMAGES"}}), ElementsAre("full"));
  EXPECT_THAT(Names({.tags = {"images", "large"}}), IsEmpty());
  EXPECT_THAT(Names({.tags = {"image"}}), IsEmpty());
  EXPECT_THAT(Names({.digest = DigestOf(1)}), ElementsAre("plain"));
  EXPECT_THAT(Names({.kind = AssetKind::kDataset}), ElementsAre("full"));
  EXPECT_THAT(Names({.licence = "cc-by-4.0"}), ElementsAre("full"));
  EXPECT_THAT(Names({.media_type = "Text/CSV"}), ElementsAre("full"));
  EXPECT_THAT(Names({.fields = {{"site", "north=2"}}}), ElementsAre("full"));
  EXPECT_THAT(Names({.fields = {{"site", "North=2"}}}), IsEmpty()) << "values have their case";
  EXPECT_THAT(Names({.fields = {{"rows", "1797"}}}), ElementsAre("full"));
  EXPECT_THAT(Names({.name_part = "full", .tags = {"small"}, .kind = AssetKind::kDataset}),
              ElementsAre("full"));
  EXPECT_THAT(Names({.name_part = "plain", .tags = {"small"}}), IsEmpty());
}

TEST_P(SearchContract, FilesOfAVersionAreFoundByTheirDigests) {
  AssetQuery query{.digest = DigestOf(77)};
  Model asset = SomeModel(owner.id, "folder");
  const Version folder = SomeVersion(asset, "1");
  Change([&](Transaction& t) -> Status {
    GC_TRY_VOID(t.InsertModel(asset));
    return t.InsertVersion(folder, {{.path = "a", .bytes = 1, .sha256 = DigestOf(76)},
                                    {.path = "b", .bytes = 2, .sha256 = DigestOf(77)}});
  });
  EXPECT_THAT(Names(query), ElementsAre("folder"));
  query.digest = DigestOf(8);
  EXPECT_THAT(Names(query), ElementsAre("folder")) << "by its manifest";
}

TEST_P(SearchContract, DescendantsAreFoundThroughTheWholeGraph) {
  const Model data = Add("data");
  const Model base = Add("base", {}, {From(data)});
  const Model tuned = Add("tuned", {}, {From(base), From(data)});
  Add("other");
  EXPECT_THAT(Names({.ancestor = data.id}), ElementsAre("base", "tuned"));
  EXPECT_THAT(Names({.ancestor = versions[data.id].id}), ElementsAre("base", "tuned"));
  EXPECT_THAT(Names({.ancestor = versions[base.id].id}), ElementsAre("tuned"));
  EXPECT_THAT(Names({.ancestor = tuned.id}), IsEmpty());
  EXPECT_THAT(Names({.ancestor = Uuid::Random()}), IsEmpty());
  // An edge that comes later counts for what was made meanwhile.
  const Model source = Add("source");
  Change([&](Transaction& t) {
    Lineage edge = From(source);
    edge.child = versions[data.id].id;
    return t.InsertLineage(edge);
  });
  EXPECT_THAT(Names({.ancestor = source.id}), ElementsAre("data", "base", "tuned"));
}

TEST_P(SearchContract, LineageHasNoCycles) {
  const Model data = Add("data");
  const Model base = Add("base", {}, {From(data)});
  const Model tuned = Add("tuned", {}, {From(base)});
  for (const Model& parent : {data, base, tuned}) {
    auto transaction = catalog->Begin().value();
    Lineage edge = From(parent);
    edge.child = versions[data.id].id;
    EXPECT_EQ(transaction->InsertLineage(edge).error().code(), Code::kFailedPrecondition) << parent.name;
  }
}

TEST_P(SearchContract, OthersSeeWhatAGrantInForceCoversAndIsInUse) {
  const Model first = Add("first");
  const Model second = Add("second");
  const Model third = Add("third");
  const Model own = [&] {
    Model asset = SomeModel(learner.id, "own");
    Change([&](Transaction& t) { return t.InsertModel(asset); });
    return asset;
  }();
  Grant pinned = SomeGrant(learner.id, first.id);
  pinned.version = versions[first.id].id;
  Grant open = SomeGrant(learner.id, second.id);
  open.expires_micros = 100;
  Grant ended = SomeGrant(learner.id, third.id);
  Change([&](Transaction& t) -> Status {
    GC_TRY_VOID(t.InsertGrant(pinned));
    GC_TRY_VOID(t.InsertGrant(open));
    GC_TRY_VOID(t.InsertGrant(ended));
    return t.RevokeGrant(ended.id, 5);
  });
  AssetQuery query{.seen_by = learner.id, .now_micros = 50};
  EXPECT_THAT(Names(query), ElementsAre("first", "second", "own"));
  query.name_part = "second";
  EXPECT_THAT(Names(query), ElementsAre("second"));
  query.name_part.clear();
  query.now_micros = 100;
  EXPECT_THAT(Names(query), ElementsAre("first", "own"));
  Change([&](Transaction& t) {
    return t.SetVersionState(versions[first.id].id, VersionState::kRetired, "retired");
  });
  EXPECT_THAT(Names(query), ElementsAre("own"));
  query.seen_by = owner.id;
  EXPECT_THAT(Names(query), ElementsAre("first", "second", "third"));
}

TEST_P(SearchContract, PagesNeitherRepeatNorShift) {
  for (int i = 0; i < 7; ++i) Add("asset-" + std::to_string(i));
  AssetQuery query{.name_part = "asset", .limit = 3};
  AssetPage page = catalog->Search(query).value();
  ASSERT_EQ(page.assets.size(), 3u);
  EXPECT_TRUE(page.more);
  Add("asset-new");
  query.after = page.assets.back().id;
  EXPECT_THAT(Names(query), ElementsAre("asset-3", "asset-4", "asset-5"));
  query.after = catalog->Search(query)->assets.back().id;
  EXPECT_THAT(Names(query), ElementsAre("asset-6", "asset-new"));
  EXPECT_FALSE(catalog->Search(query)->more);
  query.after = Uuid::Random();
  EXPECT_EQ(catalog->Search(query).error().code(), Code::kInvalidArgument);
}

TEST_P(SearchContract, ChangedDetailsAreFoundAndTheOldOnesNot) {
  const Model asset = Add("asset", [](Model& row, Version& its) {
    row.tags = {"old", "kept"};
    row.fields = {{"site", "north"}, {"rows", "5"}};
    row.licence = "MIT";
    its.fields = {{"rows", "5"}};
  });
  const ModelDetails details{
      .licence = "Apache-2.0", .tags = {"kept", "new"}, .fields = {{"site", "south"}}, .card = "# Card\n"};
  Change([&](Transaction& t) { return t.SetModelDetails(asset.id, details); });
  EXPECT_EQ(DetailsOf(catalog->FindModel(asset.id).value().value()), details);
  EXPECT_EQ(catalog->FindVersion(versions[asset.id].id).value()->fields, (std::vector<Field>{{"rows", "5"}}));
  EXPECT_THAT(Names({.tags = {"old"}}), IsEmpty());
  EXPECT_THAT(Names({.tags = {"kept", "new"}}), ElementsAre("asset"));
  EXPECT_THAT(Names({.licence = "mit"}), IsEmpty());
  EXPECT_THAT(Names({.licence = "apache-2.0"}), ElementsAre("asset"));
  EXPECT_THAT(Names({.fields = {{"site", "north"}}}), IsEmpty());
  EXPECT_THAT(Names({.fields = {{"rows", "5"}}}), ElementsAre("asset")) << "it is the version's too";
  auto transaction = catalog->Begin().value();
  EXPECT_EQ(transaction->SetModelDetails(Uuid::Random(), details).error().code(), Code::kNotFound);
}

TEST_P(SearchContract, TheIndexIsMadeAgainWhenItWasMadeInAnotherWay) {
  const Model data = Add("data", [](Model& row, Version&) { row.tags = {"images"}; });
  Add("base", {}, {From(data)});
  Change([&](Transaction& t) -> Status {
    GC_TRY_VOID(t.SetModelDetails(data.id, {.tags = {"other"}}));
    return t.SetSetting(kTermsEditionSetting, "0");
  });
  fixture->SpoilSearch();
  Reopen();
  EXPECT_EQ(catalog->Setting(kTermsEditionSetting).value(), std::string(kTermsEdition));
  EXPECT_THAT(Names({.tags = {"spoilt"}}), IsEmpty());
  EXPECT_THAT(Names({.tags = {"other"}}), ElementsAre("data"));
  EXPECT_THAT(Names({.ancestor = data.id}), ElementsAre("base"));
  EXPECT_THAT(Names({.name_part = "base"}), ElementsAre("base"));
}

TEST_P(SearchContract, TooManyConditionsAreRefused) {
  AssetQuery query;
  for (int i = 0; i < 100; ++i) query.tags.push_back(std::to_string(i));
  EXPECT_EQ(catalog->Search(query).error().code(), Code::kInvalidArgument);
}

// Search against the plain meaning of its members, over a made-up catalog.
TEST_P(SearchContract, FindsWhatComparingEveryRowFinds) {
  std::mt19937 random(4);
  const auto pick = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  std::vector<Model> assets;
  for (int i = 0; i < 60; ++i) {
    const std::string name = std::string(1, static_cast<char>('a' + pick(3))) + "bc-" + std::to_string(i);
    assets.push_back(Add(name, [&](Model& row, Version&) {
      row.kind = pick(2) == 0 ? AssetKind::kModel : AssetKind::kDataset;
      row.tags = {"t" + std::to_string(pick(3))};
      row.fields = {{"k", std::to_string(pick(4))}};
    }));
  }
  for (int round = 0; round < 50; ++round) {
    AssetQuery query{.limit = 1'000};
    if (pick(2) == 0)
      query.name_part = std::string(1, static_cast<char>('a' + pick(3))) + "bc-" + std::to_string(pick(6));
    if (pick(2) == 0) query.tags = {"t" + std::to_string(pick(3))};
    if (pick(2) == 0) query.kind = pick(2) == 0 ? AssetKind::kModel : AssetKind::kDataset;
    if (pick(2) == 0) query.fields = {{"k", std::to_string(pick(4))}};
    std::vector<std::string> expected;
    for (const Model& row : assets)
      if (row.name.find(query.name_part) != std::string::npos &&
          (query.tags.empty() || query.tags == row.tags) && (!query.kind || *query.kind == row.kind) &&
          (query.fields.empty() || query.fields == row.fields))
        expected.push_back(row.name);
    EXPECT_EQ(Names(query), expected) << "round " << round;
  }
}

}  // namespace glasscase::catalog::testing
