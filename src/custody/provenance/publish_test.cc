#include <glasscase/provenance/publish.h>

#include "signing_test.h"

namespace glasscase::provenance {
namespace {

const Publication kOpenly{
    .publisher = "ada",
    .asset = Uuid::Parse("6b3a4d5e-0000-4000-8000-000000000001").value(),
    .asset_name = "ada/digits",
    .version = Uuid::Parse("6b3a4d5e-0000-4000-8000-000000000002").value(),
    .version_label = "1",
    .manifest = Sha256(AsBytes("manifest")),
    .media_type = "application/onnx",
    .licence = "Apache-2.0",
    .ledger = LedgerPlace{"example.org/log", 41},
};

// What api/formats/provenance.md shows: older statements must stay readable.
TEST(PublishStatementTest, IsTheTextOfTheFormat) {
  EXPECT_EQ(
      WriteStatement(MakePublishStatement(kOpenly)).value(),
      R"({"_type":"https://in-toto.io/Statement/v1","predicate":{"asset":{"name":"ada/digits",)"
      R"("uuid":"6b3a4d5e-0000-4000-8000-000000000001"},"ledger":{"index":41,"origin":"example.org/log"},)"
      R"("licence":"Apache-2.0","manifest":{"sha256":"05b3abf2579a5eb66403cd78be557fd860633a1fe2103c7642030defe32c657f"},"mediaType":"application/onnx",)"
      R"("publisher":{"name":"ada"},"version":{"label":"1","uuid":"6b3a4d5e-0000-4000-8000-000000000002"}},)"
      R"("predicateType":"urn:glasscase:predicate:publish:v1","subject":[{"digest":{"sha256":"05b3abf2579a5eb66403cd78be557fd860633a1fe2103c7642030defe32c657f"},)"
      R"("name":"urn:uuid:6b3a4d5e-0000-4000-8000-000000000002"}]})");
}

TEST(PublishStatementTest, ComesBackAsItWas) {
  Publication closed = kOpenly;
  closed.publisher = Commitment{Sha256(AsBytes("1"))};
  closed.asset_name = Commitment{Sha256(AsBytes("2"))};
  closed.version_label = Commitment{Sha256(AsBytes("3"))};
  closed.licence.reset();
  closed.ledger.reset();
  const auto key = MakeKey(1);
  const std::vector<EcdsaPublicKey> keys{key.public_key()};
  for (const Publication& publication : {kOpenly, closed}) {
    const auto bundle = SignStatement(MakePublishStatement(publication), key);
    const auto opened = OpenStatement(bundle.value(), keys);
    ASSERT_TRUE(opened) << opened.error().message();
    const auto read = ReadPublishStatement(opened->statement);
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_EQ(*read, publication);
  }
}

TEST(PublishStatementTest, WhatIsWrongIsNamed) {
  const auto error_of = [](const std::function<void(Statement&)>& change) {
    Statement statement = MakePublishStatement(kOpenly);
    change(statement);
    const auto read = ReadPublishStatement(statement);
    return read ? "accepted" : read.error().message();
  };
  EXPECT_EQ(error_of([](auto& s) { s.predicate_type = "urn:x"; }),
            "not about publishing: the statement is a urn:x");
  EXPECT_EQ(error_of([](auto& s) { s.predicate.erase("asset"); }), "predicate.asset is missing");
  EXPECT_EQ(error_of([](auto& s) { s.predicate["asset"].as_object()["uuid"] = "x"; }),
            "predicate.asset.uuid must be a UUID in lower case");
  EXPECT_EQ(error_of([](auto& s) { s.predicate["publisher"] = boost::json::object(); }),
            "predicate.publisher must have either \"name\" or \"commitment\"");
  EXPECT_EQ(
      error_of([](auto& s) { s.predicate["publisher"].as_object()["commitment"] = std::string(64, '0'); }),
      "predicate.publisher must have either \"name\" or \"commitment\"");
  EXPECT_EQ(error_of([](auto& s) { s.predicate["ledger"].as_object()["index"] = -1; }),
            "predicate.ledger.index must be a whole number from 0");
  EXPECT_EQ(error_of([](auto& s) { s.subjects[0].sha256[0] ^= 1; }),
            "the statement's subject is not the version that its predicate names");
  EXPECT_EQ(error_of([](auto& s) { s.subjects.push_back(s.subjects[0]); }),
            "the statement's subject is not the version that its predicate names");
  EXPECT_EQ(error_of([](auto& s) { s.predicate["later"] = "member"; }), "accepted");
}

}  // namespace
}  // namespace glasscase::provenance
