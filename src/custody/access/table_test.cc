#include <glasscase/access/table.h>

#include <algorithm>

#include <gtest/gtest.h>

namespace glasscase::access {
namespace {

Uuid Id(uint8_t n) {
  Uuid id;
  id.bytes[8] = n;
  id.bytes[15] = 1;
  return id;
}
Digest DigestOf(uint8_t n) {
  Digest digest{};
  digest[0] = n;
  return digest;
}
TokenRow Token(uint8_t id, uint8_t subject, uint8_t digest) {
  return {.id = Id(id), .subject = Id(subject), .digest = DigestOf(digest)};
}
ModelRow Model(uint8_t id, uint8_t owner, std::string owner_name, std::string name) {
  ModelRow row;
  row.id = Id(id);
  row.owner = Id(owner);
  row.owner_name = std::move(owner_name);
  row.name = std::move(name);
  VersionRow version;
  version.id = Id(static_cast<uint8_t>(id + 100));
  version.label = "1";
  row.versions.push_back(version);
  row.default_version = version.id;
  return row;
}
GrantRow Grant(uint8_t id, uint8_t subject, uint8_t model) {
  GrantRow row;
  row.id = Id(id);
  row.subject = Id(subject);
  row.model = Id(model);
  return row;
}

TEST(AccessTableTest, FindsWhatWasInsertedAndNothingAfterItsRemoval) {
  AccessTable table;
  TableUpdate update;
  update.subjects = {{.id = Id(1), .name = "ana", .roles = kOwner}};
  update.tokens = {Token(2, 1, 9)};
  update.models = {Model(3, 1, "ana", "digits")};
  update.grants = {Grant(4, 5, 3)};
  table.Apply(update);

  ASSERT_NE(table.FindSubject(Id(1)), nullptr);
  ASSERT_NE(table.FindToken(DigestOf(9)), nullptr);
  for (const std::string& name : {std::string("ana/digits"), Id(3).ToString(), Id(103).ToString()}) {
    ASSERT_NE(table.FindModel(name), nullptr) << name;
    EXPECT_EQ(table.FindModel(name)->id, Id(3));
  }
  std::string upper = Id(103).ToString();
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](char c) { return static_cast<char>(std::toupper(c)); });
  EXPECT_NE(table.FindModel(upper), nullptr);
  EXPECT_EQ(table.FindModel("digits"), nullptr);
  EXPECT_EQ(table.ModelsCalled("digits").size(), 1U);
  EXPECT_EQ(table.Grants(Id(5), Id(3)).size(), 1U);
  EXPECT_EQ(table.token_count(), 1U);
  EXPECT_EQ(table.grant_count(), 1U);
  EXPECT_TRUE(table.HasGrant(Id(4)));

  TableUpdate removal;
  removal.removed_subjects = {Id(1)};
  removal.removed_tokens = {Id(2)};
  removal.removed_models = {Id(3)};
  removal.removed_grants = {Id(4), Id(77)};
  table.Apply(removal);
  EXPECT_EQ(table.FindSubject(Id(1)), nullptr);
  EXPECT_EQ(table.FindToken(DigestOf(9)), nullptr);
  EXPECT_EQ(table.FindModel("ana/digits"), nullptr);
  EXPECT_EQ(table.FindModel(Id(103).ToString()), nullptr);
  EXPECT_TRUE(table.ModelsCalled("digits").empty());
  EXPECT_TRUE(table.Grants(Id(5), Id(3)).empty());
  EXPECT_TRUE(table.ModelsOf(Id(1)).empty());
  EXPECT_TRUE(table.ModelsOf(Id(5)).empty());
  EXPECT_EQ(table.token_count(), 0U);
  EXPECT_EQ(table.grant_count(), 0U);
}

TEST(AccessTableTest, ARowOfTheSameIdReplacesTheOldOne) {
  AccessTable table;
  TableUpdate first;
  first.tokens = {Token(2, 1, 9)};
  first.models = {Model(3, 1, "ana", "digits")};
  first.grants = {Grant(4, 5, 3)};
  table.Apply(first);

  TableUpdate second;
  second.tokens = {Token(2, 1, 10)};
  second.models = {Model(3, 1, "ana", "letters")};
  second.models[0].versions[0].id = Id(200);
  second.grants = {Grant(4, 6, 3)};
  table.Apply(second);
  EXPECT_EQ(table.FindToken(DigestOf(9)), nullptr);
  EXPECT_NE(table.FindToken(DigestOf(10)), nullptr);
  EXPECT_EQ(table.FindModel("ana/digits"), nullptr);
  EXPECT_NE(table.FindModel("ana/letters"), nullptr);
  EXPECT_EQ(table.FindModel(Id(103).ToString()), nullptr);
  EXPECT_NE(table.FindModel(Id(200).ToString()), nullptr);
  EXPECT_TRUE(table.ModelsCalled("digits").empty());
  EXPECT_TRUE(table.Grants(Id(5), Id(3)).empty());
  EXPECT_EQ(table.Grants(Id(6), Id(3)).size(), 1U);
  EXPECT_TRUE(table.ModelsOf(Id(5)).empty());
  EXPECT_EQ(table.grant_count(), 1U);
}

TEST(AccessTableTest, RemovalsComeBeforeInsertions) {
  AccessTable table;
  TableUpdate update;
  update.grants = {Grant(4, 5, 3)};
  table.Apply(update);
  update.removed_grants = {Id(4)};
  table.Apply(update);
  EXPECT_EQ(table.Grants(Id(5), Id(3)).size(), 1U);
}

TEST(AccessTableTest, AResetLeavesNothingBehind) {
  AccessTable table;
  TableUpdate update;
  update.subjects = {{.id = Id(1), .name = "ana"}};
  update.tokens = {Token(2, 1, 9)};
  update.models = {Model(3, 1, "ana", "digits")};
  update.grants = {Grant(4, 5, 3)};
  table.Apply(update);
  TableUpdate reset;
  reset.reset = true;
  reset.tokens = {Token(7, 1, 11)};
  table.Apply(reset);
  EXPECT_EQ(table.FindSubject(Id(1)), nullptr);
  EXPECT_EQ(table.FindToken(DigestOf(9)), nullptr);
  EXPECT_NE(table.FindToken(DigestOf(11)), nullptr);
  EXPECT_EQ(table.FindModel("ana/digits"), nullptr);
  EXPECT_TRUE(table.ModelsCalled("digits").empty());
  EXPECT_EQ(table.grant_count(), 0U);
}

TEST(AccessTableTest, ModelsOfListsOwnedAndGrantedOnesOnceEach) {
  AccessTable table;
  TableUpdate update;
  update.models = {Model(3, 1, "ana", "digits"), Model(4, 2, "ben", "digits"), Model(5, 2, "ben", "letters")};
  update.grants = {Grant(10, 1, 4), Grant(11, 1, 4), Grant(12, 1, 3), Grant(13, 1, 99)};
  table.Apply(update);
  const auto models = table.ModelsOf(Id(1));
  EXPECT_EQ(models.size(), 2U);
  EXPECT_EQ(table.ModelsOf(Id(2)).size(), 2U);
  EXPECT_EQ(table.ModelsCalled("digits").size(), 2U);
}

TEST(AccessTableTest, FindsAVersionByLabelThenByIdentifier) {
  ModelRow model = Model(3, 1, "ana", "digits");
  VersionRow odd;
  odd.id = Id(50);
  odd.label = model.versions[0].id.ToString();
  model.versions.push_back(odd);
  EXPECT_EQ(model.FindVersion("1")->id, Id(103));
  EXPECT_EQ(model.FindVersion(Id(50).ToString())->id, Id(50));
  EXPECT_EQ(model.FindVersion(Id(103).ToString())->id, Id(50));
  EXPECT_EQ(model.FindVersion(Id(103))->id, Id(103));
  EXPECT_EQ(model.FindVersion("2"), nullptr);
  EXPECT_EQ(model.FindVersion(""), nullptr);
}

TEST(AccessTableTest, NamesEveryRole) {
  EXPECT_EQ(RolesText(kOperator | kOwner), "operator, owner");
  EXPECT_EQ(RolesText(kLearner), "learner");
  EXPECT_EQ(RolesText(0), "");
}

}  // namespace
}  // namespace glasscase::access
