#include <glasscase/rpc/convert.h>

#include <string>

#include <gtest/gtest.h>

namespace glasscase::rpc {
namespace {

access::TableUpdate SampleUpdate() {
  access::TableUpdate update;
  update.reset = true;
  update.removed_subjects = {Uuid::Random()};
  update.removed_tokens = {Uuid::Random(), Uuid::Random()};
  update.removed_models = {Uuid::Random()};
  update.removed_grants = {Uuid::Random()};
  update.subjects = {{.id = Uuid::Random(), .name = "ana", .roles = access::kOwner | access::kOperator}};
  update.tokens = {
      {.id = Uuid::Random(), .subject = update.subjects[0].id, .digest = Digest{1, 2}, .expires_micros = 42}};
  access::VersionRow version;
  version.id = Uuid::Random();
  version.label = "1";
  version.manifest_digest = Digest{9};
  version.sha256 = Digest{8};
  version.inputs = {{.name = "x", .datatype = DataType::kBf16, .shape = {-1, 64}}};
  version.outputs = {{.name = "y", .datatype = DataType::kBytes, .shape = {}}};
  version.rows_independent = true;
  version.retired = true;
  version.disabled_reason = "ran too long";
  version.weights_bytes = 1234;
  access::ModelRow model;
  model.id = Uuid::Random();
  model.owner = update.subjects[0].id;
  model.owner_name = "ana";
  model.name = "digits";
  model.host_slot = 3;
  model.versions = {version};
  update.models = {model};
  update.models[0].default_version = version.id;
  update.models.push_back(model);  // without a default
  access::GrantRow grant;
  grant.id = Uuid::Random();
  grant.subject = Uuid::Random();
  grant.model = model.id;
  update.grants = {grant};
  grant.version = version.id;
  grant.expires_micros = 43;
  grant.quota = access::Quota{.calls = 5, .period_ns = 1'000'000'000};
  update.grants.push_back(grant);
  return update;
}

TEST(ConvertTest, AnUpdateComesBackAsItWas) {
  const access::TableUpdate update = SampleUpdate();
  const auto back = FromMessage(ToMessage(update));
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_TRUE(back->reset);
  EXPECT_EQ(back->removed_subjects, update.removed_subjects);
  EXPECT_EQ(back->removed_tokens, update.removed_tokens);
  EXPECT_EQ(back->removed_models, update.removed_models);
  EXPECT_EQ(back->removed_grants, update.removed_grants);
  EXPECT_EQ(back->subjects[0].id, update.subjects[0].id);
  EXPECT_EQ(back->subjects[0].name, "ana");
  EXPECT_EQ(back->subjects[0].roles, update.subjects[0].roles);
  EXPECT_EQ(back->tokens[0].digest, update.tokens[0].digest);
  EXPECT_EQ(back->tokens[0].subject, update.tokens[0].subject);
  EXPECT_EQ(back->tokens[0].expires_micros, 42);
  const access::ModelRow& model = back->models[0];
  EXPECT_EQ(model.default_version, update.models[0].default_version);
  EXPECT_TRUE(back->models[1].default_version.IsNil());
  EXPECT_EQ(model.name, "digits");
  EXPECT_EQ(model.owner_name, "ana");
  EXPECT_EQ(model.host_slot, 3U);
  const access::VersionRow& version = model.versions[0];
  EXPECT_EQ(version.label, "1");
  EXPECT_EQ(version.manifest_digest, Digest{9});
  EXPECT_EQ(version.sha256, Digest{8});
  EXPECT_EQ(version.inputs, update.models[0].versions[0].inputs);
  EXPECT_EQ(version.outputs, update.models[0].versions[0].outputs);
  EXPECT_TRUE(version.rows_independent);
  EXPECT_TRUE(version.retired);
  EXPECT_EQ(version.disabled_reason, "ran too long");
  EXPECT_EQ(version.weights_bytes, 1234U);
  EXPECT_FALSE(back->grants[0].quota);
  EXPECT_TRUE(back->grants[0].version.IsNil());
  EXPECT_EQ(back->grants[1].quota, update.grants[1].quota);
  EXPECT_EQ(back->grants[1].version, version.id);
  EXPECT_EQ(back->grants[1].expires_micros, 43);
}

template <typename Change>
void ExpectRefused(Change change) {
  TableUpdate message = ToMessage(SampleUpdate());
  change(message);
  const auto back = FromMessage(message);
  ASSERT_FALSE(back);
  EXPECT_EQ(back.error().code(), Code::kInvalidArgument);
}

TEST(ConvertTest, WhatIsOutOfRangeIsRefused) {
  ExpectRefused([](TableUpdate& m) { m.set_removed_grants(0, "short"); });
  ExpectRefused([](TableUpdate& m) { m.mutable_subjects(0)->set_id(""); });
  ExpectRefused([](TableUpdate& m) { m.mutable_subjects(0)->set_roles(8); });
  ExpectRefused([](TableUpdate& m) { m.mutable_subjects(0)->set_roles(0); });
  ExpectRefused([](TableUpdate& m) { m.mutable_tokens(0)->set_digest(std::string(31, 'x')); });
  ExpectRefused([](TableUpdate& m) { m.mutable_tokens(0)->set_subject(std::string(17, 'x')); });
  ExpectRefused([](TableUpdate& m) { m.mutable_models(0)->set_default_version("x"); });
  ExpectRefused([](TableUpdate& m) { m.mutable_models(0)->mutable_versions(0)->set_manifest_digest(""); });
  ExpectRefused([](TableUpdate& m) { m.mutable_models(0)->mutable_versions(0)->set_sha256("short"); });
  ExpectRefused(
      [](TableUpdate& m) { m.mutable_models(0)->mutable_versions(0)->mutable_inputs(0)->set_datatype(15); });
  ExpectRefused(
      [](TableUpdate& m) { m.mutable_models(0)->mutable_versions(0)->mutable_inputs(0)->set_datatype(257); });
  ExpectRefused(
      [](TableUpdate& m) { m.mutable_models(0)->mutable_versions(0)->mutable_inputs(0)->set_shape(0, -2); });
  ExpectRefused([](TableUpdate& m) {
    for (int i = 0; i < 17; ++i) m.mutable_models(0)->mutable_versions(0)->mutable_outputs(0)->add_shape(1);
  });
  ExpectRefused([](TableUpdate& m) { m.mutable_grants(1)->set_quota_calls(0); });
  ExpectRefused([](TableUpdate& m) { m.mutable_grants(1)->set_quota_calls(1'000'000'001); });
  ExpectRefused([](TableUpdate& m) { m.mutable_grants(1)->set_quota_period_ns(1); });
}

TEST(ConvertTest, AuditRecordsComeBackAndOddOnesAreRefused) {
  std::vector<access::AuditRecord> records(3);
  records[1].count = 7;
  records[1].SetObject("ana/digits");
  AuditBatch message = ToMessage(records);
  const auto back = FromMessage(message);
  ASSERT_TRUE(back);
  ASSERT_EQ(back->size(), 3U);
  EXPECT_EQ((*back)[1].count, 7U);
  message.mutable_records()->push_back('x');
  EXPECT_FALSE(FromMessage(message));
  records[2].object_bytes = 71;
  EXPECT_FALSE(FromMessage(ToMessage(records)));
  records[2].object_bytes = 0;
  records[2].reason = static_cast<access::Reason>(99);
  EXPECT_FALSE(FromMessage(ToMessage(records)));
}

}  // namespace
}  // namespace glasscase::rpc
