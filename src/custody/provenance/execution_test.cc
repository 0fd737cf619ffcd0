#include <glasscase/provenance/execution.h>

#include "signing_test.h"

namespace glasscase::provenance {
namespace {

Uuid Id(int n) { return Uuid::Parse("6b3a4d5e-0000-4000-8000-00000000000" + std::to_string(n)).value(); }

Execution Training() {
  return {.run = Id(1),
          .asset_name = "ada/digits",
          .asset = Id(2),
          .version_label = "1",
          .version = Id(3),
          .manifest = Sha256(AsBytes("manifest")),
          .recipe = Sha256(AsBytes("recipe")),
          .environment = {{"runner", "scikit-learn"}},
          .materials = {{.role = "train",
                         .name = "ada/digits-data@1",
                         .version = Id(4),
                         .sha256 = Sha256(AsBytes("data"))}},
          .worker = "local",
          .machine = {{"kernel", "6.1"}},
          .started_at = "2026-01-01T00:00:00Z",
          .ended_at = "2026-01-01T00:01:00Z",
          .evidence = {},
          .ledger = LedgerPlace{"example.org/log", 41}};
}

Execution Translation() {
  Execution execution = Training();
  execution.materials[0].role = "source";
  execution.evidence = Sha256(AsBytes("evidence"));
  execution.ledger.reset();
  return execution;
}

TEST(ExecutionStatement, ComesBackAsItWas) {
  const auto key = MakeKey(1);
  const std::vector<EcdsaPublicKey> keys{key.public_key()};
  for (const Execution& execution : {Training(), Translation()}) {
    const auto bundle = SignStatement(MakeExecutionStatement(execution), key);
    const auto opened = OpenStatement(bundle.value(), keys);
    ASSERT_TRUE(opened) << opened.error().message();
    const auto read = ReadExecutionStatement(opened->statement);
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_EQ(*read, execution);
  }
  EXPECT_EQ(MakeExecutionStatement(Training()).predicate_type, kRunPredicate);
  EXPECT_EQ(MakeExecutionStatement(Translation()).predicate_type, kTranslationPredicate);
}

TEST(ExecutionStatement, WhatIsWrongIsNamed) {
  const auto error_of = [](const std::function<void(Statement&)>& change) {
    Statement statement = MakeExecutionStatement(Training());
    change(statement);
    const auto read = ReadExecutionStatement(statement);
    return read ? "accepted" : read.error().message();
  };
  EXPECT_EQ(error_of([](auto& s) { s.predicate_type = "urn:x"; }),
            "not about a run: the statement is a urn:x");
  EXPECT_EQ(error_of([](auto& s) { s.predicate.erase("materials"); }),
            "predicate.materials must be an array");
  EXPECT_EQ(error_of([](auto& s) { s.predicate["materials"].as_array()[0].as_object().erase("digest"); }),
            "predicate.materials[0].digest is missing");
  EXPECT_EQ(error_of([](auto& s) { s.predicate_type = kTranslationPredicate; }),
            "predicate.evidence must be there for a translation, and for that alone");
  EXPECT_EQ(error_of([](auto& s) { s.subjects[0].name = "urn:uuid:other"; }),
            "the statement's subject is not the version that its predicate names");
}

}  // namespace
}  // namespace glasscase::provenance
