// Signatures that model-signing 1.1.1 made (tests/vectors/model_signing/make_vectors.sh), and the first ones
// that ours did (provenance_tool): what was accepted once must stay so.
#include <fstream>
#include <iterator>

#include <glasscase/provenance/model_signature.h>
#include <glasscase/provenance/publish.h>

#include "signing_test.h"

namespace glasscase::provenance {
namespace {

std::string ReadVector(const std::string& name) {
  std::ifstream file(GLASSCASE_SOURCE_DIR "/tests/vectors/model_signing/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<Resource> HashDigits(uint64_t shard_bytes) {
  ResourceHasher hasher(shard_bytes);
  for (const auto& [path, content] : std::vector<std::pair<std::string, std::string>>{
           {"a.txt", "2"}, {"a/b.txt", "1"}, {"empty", ""}, {"model.onnx", "weights"}}) {
    hasher.Begin(path);
    hasher.Update(AsBytes(content));
    hasher.End();
  }
  return hasher.Take();
}

class ModelSigningVectors : public ::testing::Test {
 protected:
  const std::vector<EcdsaPublicKey> keys{EcdsaPublicKey::FromPem(ReadVector("public.pem")).value()};
};

TEST_F(ModelSigningVectors, FilesAreAccepted) {
  const auto model = OpenModelSignature(ReadVector("files.sig"), keys);
  ASSERT_TRUE(model) << model.error().message();
  EXPECT_EQ(model->name, "digits");
  EXPECT_TRUE(model->Check(HashDigits(0), {}));
  // By parts of the path: "a/b.txt" stands before "a.txt", which in the order of code points it does not.
  EXPECT_EQ(model->resources[0].name, "a/b.txt");
}

TEST_F(ModelSigningVectors, ShardsAreAccepted) {
  const auto model = OpenModelSignature(ReadVector("shards.sig"), keys);
  ASSERT_TRUE(model) << model.error().message();
  EXPECT_EQ(model->serialization.shard_bytes, 4u);
  EXPECT_TRUE(model->Check(HashDigits(4), {}));
  EXPECT_FALSE(model->Check(HashDigits(0), {}));
}

TEST_F(ModelSigningVectors, ASingleFileIsAccepted) {
  EXPECT_TRUE(
      CheckModel(ReadVector("single.sig"), std::vector<Resource>{{".", Sha256(AsBytes("weights"))}}, keys));
}

TEST_F(ModelSigningVectors, HintsAreThoseOfOurs) {
  EXPECT_EQ(ParseBundle(ReadVector("files.sig"))->key_hint, KeyHint(keys[0]));
}

TEST(OlderSignaturesOfOurs, AreAccepted) {
  const std::vector<EcdsaPublicKey> keys{EcdsaPublicKey::FromPem(ReadVector("ours_public.pem")).value()};
  EXPECT_TRUE(CheckModel(ReadVector("ours_files.sig"), HashDigits(0), keys));
  const auto opened = OpenStatement(ReadVector("ours_publish.json"), keys);
  ASSERT_TRUE(opened) << opened.error().message();
  const auto publication = ReadPublishStatement(opened->statement);
  ASSERT_TRUE(publication) << publication.error().message();
  EXPECT_EQ(std::get<std::string>(publication->asset_name), "ada/digits");
  EXPECT_EQ(publication->ledger, (LedgerPlace{"example.org/log", 41}));
}

}  // namespace
}  // namespace glasscase::provenance
