#include <glasscase/provenance/model_signature.h>

#include "signing_test.h"

namespace glasscase::provenance {
namespace {

Resource File(std::string name, std::string_view contents) {
  return {std::move(name), Sha256(AsBytes(contents))};
}

class ModelSignatureTest : public ::testing::Test {
 protected:
  std::string ErrorOf(std::string_view text) const {
    const auto opened = OpenModelSignature(text, keys);
    return opened ? "accepted" : opened.error().message();
  }
  std::string CheckError(std::vector<Resource> given, const CheckOptions& options = {}) const {
    const auto checked = CheckModel(text_, given, keys, options);
    return checked ? "accepted" : checked.error().message();
  }
  std::string ResignPredicate(const std::function<void(boost::json::object&)>& change) const {
    return Resign(text_, key, [&](auto& o) { change(o["predicate"].as_object()); });
  }

  const EcdsaPrivateKey key = MakeKey(1);
  const std::vector<EcdsaPublicKey> keys{key.public_key()};
  const std::vector<Resource> files{File("sub/b.bin", "b"), File("model.onnx", "weights"),
                                    File("sub.bin", "c")};
  const std::string text_ = SignModel("digits", files, {.ignore_paths = {"model.sig", "notes"}}, key).value();
};

TEST_F(ModelSignatureTest, FilesComeBackInTheOrderOfTheirNames) {
  const auto model = OpenModelSignature(text_, keys);
  ASSERT_TRUE(model) << model.error().message();
  EXPECT_EQ(model->name, "digits");
  EXPECT_EQ(model->resources, (std::vector<Resource>{files[1], files[2], files[0]}));
  EXPECT_EQ(model->serialization.shard_bytes, 0u);
  EXPECT_EQ(model->serialization.ignore_paths, (std::vector<std::string>{"model.sig", "notes"}));
  EXPECT_EQ(model->digest, ModelDigest(model->resources));
}

// The definition: SHA-256 over the digests themselves, one after the other.
TEST_F(ModelSignatureTest, TheModelsDigestIsOverTheRawDigests) {
  const Digest a = Sha256(AsBytes("a"));
  const Digest b = Sha256(AsBytes("b"));
  EXPECT_EQ(ModelDigest(std::vector<Resource>{{"x", a}, {"y", b}}), Sha256(a, b));
}

TEST_F(ModelSignatureTest, TheSameFilesAreAccepted) { EXPECT_EQ(CheckError(files), "accepted"); }

TEST_F(ModelSignatureTest, EveryDifferenceIsNamed) {
  EXPECT_EQ(CheckError({files[0], File("model.onnx", "weightz"), files[2]}),
            "the model is not the one that was signed: differs from what was signed: model.onnx");
  EXPECT_EQ(CheckError({files[0], files[1]}),
            "the model is not the one that was signed: signed but missing: sub.bin");
  EXPECT_EQ(CheckError({files[0], files[1], files[2], File("extra.py", "")}),
            "the model is not the one that was signed: not signed: extra.py");
  EXPECT_EQ(CheckError({File("model.onnx", "x"), files[2], File("\x1b", "")}),
            "the model is not the one that was signed: differs from what was signed: model.onnx; "
            "signed but missing: sub/b.bin; not signed: \\x1b");
  EXPECT_EQ(CheckError({files[0], files[0]}), "\"sub/b.bin\" was given twice");
}

TEST_F(ModelSignatureTest, ManyDifferencesAreCounted) {
  std::vector<Resource> given = files;
  for (int i = 0; i < 10; ++i) given.push_back(File(std::to_string(i), ""));
  EXPECT_EQ(CheckError(given),
            "the model is not the one that was signed: not signed: 0, 1, 2, 3, 4, 5, 6, 7 and 2 more");
}

TEST_F(ModelSignatureTest, IgnoredFilesNeedNoSignatureAndAreNamed) {
  std::vector<Resource> given = files;
  for (const char* name : {"notes/today.txt", ".git/HEAD", ".gitignore", "sigs/m.sig"})
    given.push_back(File(name, ""));
  const auto model = OpenModelSignature(text_, keys).value();
  const auto checked = model.Check(given, {.signature_path = "sigs/m.sig"});
  ASSERT_TRUE(checked) << checked.error().message();
  EXPECT_EQ(checked->unsigned_paths,
            (std::vector<std::string>{"notes/today.txt", ".git/HEAD", ".gitignore", "sigs/m.sig"}));
  EXPECT_FALSE(model.Check(given, {.signature_path = "sigs/m.sig", .ignore_git_paths = false}));
}

TEST_F(ModelSignatureTest, IgnoringStopsAtTheNamesEndAndAtTheTop) {
  for (const char* name : {"notes2", "sub/.git/HEAD", "sub/notes/x", ".gitmodules"}) {
    std::vector<Resource> given = files;
    given.push_back(File(name, ""));
    EXPECT_NE(CheckError(given), "accepted") << name;
  }
}

TEST_F(ModelSignatureTest, IgnorePathsThatNameEverythingIgnoreNothing) {
  for (const char* ignored : {"", ".", "./", "/", "..", "../x", "./."}) {
    const auto text = SignModel("m", files, {.ignore_paths = {ignored}}, key).value();
    std::vector<Resource> given = files;
    given.push_back(File("extra", ""));
    EXPECT_FALSE(CheckModel(text, given, keys)) << ignored;
  }
}

TEST_F(ModelSignatureTest, WhatIsIgnoredIsNotSigned) {
  const std::vector<Resource> given{File("a", "1"), File(".gitignore", ""), File(".git/HEAD", ""),
                                    File("b/.gitignore", "")};
  const auto text = SignModel("m", given, {}, key).value();
  const auto model = OpenModelSignature(text, keys).value();
  EXPECT_EQ(model.resources, (std::vector<Resource>{given[0], given[3]}));
  EXPECT_EQ(model.serialization.ignore_paths, GitPaths());
  EXPECT_TRUE(model.Check(given, {}));
  EXPECT_EQ(
      OpenModelSignature(SignModel("m", given, {.ignore_paths = {}}, key).value(), keys)->resources.size(),
      4u);
  EXPECT_FALSE(SignModel("m", {File(".git/HEAD", "")}, {}, key));
}

TEST_F(ModelSignatureTest, AFileThatIsBothSignedAndIgnoredCounts) {
  const auto text = ResignPredicate(
      [](auto& p) { p["serialization"].as_object()["ignore_paths"].as_array().push_back("sub"); });
  EXPECT_TRUE(CheckModel(text, files, keys));
  EXPECT_FALSE(CheckModel(text, std::vector<Resource>{File("sub/b.bin", "2"), files[1], files[2]}, keys));
  EXPECT_FALSE(CheckModel(text, std::vector<Resource>{files[1], files[2]}, keys));
}

TEST_F(ModelSignatureTest, AModelThatIsAFileIsNamedByADot) {
  const auto text = SignModel("digits.onnx", {File(".", "weights")}, {}, key).value();
  EXPECT_TRUE(CheckModel(text, std::vector<Resource>{File(".", "weights")}, keys));
  EXPECT_FALSE(SignModel("m", {File(".", "a"), File("b", "b")}, {}, key));
}

TEST_F(ModelSignatureTest, NamesThatAreNotRelativePathsAreNotSigned) {
  for (const char* name :
       {"", "/etc/passwd", "../x", "a/../b", "a//b", "a/", "./a", "a\nb", "\xff", "a/.", ".."})
    EXPECT_FALSE(SignModel("m", {File(name, "")}, {}, key)) << name;
  EXPECT_FALSE(SignModel("m", {}, {}, key));
  EXPECT_FALSE(SignModel("m", {File("a", "1"), File("a", "2")}, {}, key));
}

TEST_F(ModelSignatureTest, AForeignSignatureWithSuchNamesIsRefused) {
  const auto with_name = [&](const char* name) {
    return ResignPredicate([&](auto& p) { p["resources"].as_array()[0].as_object()["name"] = name; });
  };
  EXPECT_NE(ErrorOf(with_name("../x")), "accepted");
  EXPECT_EQ(ErrorOf(with_name("sub/b.bin")), "\"sub/b.bin\" is named twice");
  EXPECT_EQ(ErrorOf(with_name("renamed")), "accepted");  // names are signed, and not in the model's digest
}

TEST_F(ModelSignatureTest, ASignatureThatContradictsItselfIsRefused) {
  EXPECT_NE(ErrorOf(ResignPredicate([](auto& p) {
              p["resources"].as_array().pop_back();
            })).find("contradicts itself"),
            std::string::npos);
  EXPECT_EQ(ErrorOf(Resign(text_, key,
                           [](auto& o) { o["subject"].as_array().push_back(o["subject"].as_array()[0]); })),
            "a model signature has one subject, this has 2");
}

// model-signing orders paths part by part ("sub/b" before "sub.bin"), the specification by code points: the
// digest is over the order that was signed.
TEST_F(ModelSignatureTest, AnotherOrderOfResourcesIsRead) {
  const std::vector<Resource> order{files[1], files[0], files[2]};
  const auto text = Resign(text_, key, [&](auto& o) {
    auto& list = o["predicate"].as_object()["resources"].as_array();
    std::swap(list[1], list[2]);
    o["subject"].as_array()[0].as_object()["digest"] =
        boost::json::object{{"sha256", ToHex(ModelDigest(order))}};
  });
  EXPECT_TRUE(CheckModel(text, files, keys));
}

TEST_F(ModelSignatureTest, UnknownMembersOfThePredicateArePassedOver) {
  EXPECT_EQ(ErrorOf(ResignPredicate([](auto& p) { p["card"] = "x"; })), "accepted");
}

TEST_F(ModelSignatureTest, OtherStatementsHashesAndMethodsAreRefusedInWords) {
  EXPECT_EQ(ErrorOf(Resign(text_, key, [](auto& o) { o["predicateType"] = "urn:x"; })),
            "not the signature of a model: the statement is a urn:x");
  const auto how = [&](const char* member, boost::json::value value) {
    return ErrorOf(ResignPredicate([&](auto& p) { p["serialization"].as_object()[member] = value; }));
  };
  EXPECT_NE(how("hash_type", "blake3").find("blake3"), std::string::npos);
  EXPECT_NE(how("method", "chunks").find("chunks"), std::string::npos);
  EXPECT_EQ(how("ignore_paths", boost::json::array{1}),
            "predicate.serialization.ignore_paths must hold strings");
  EXPECT_EQ(how("allow_symlinks", "no"), "predicate.serialization.allow_symlinks must be true or false");
  EXPECT_EQ(
      ErrorOf(ResignPredicate([](auto& p) { p["resources"].as_array()[1].as_object()["digest"] = "00"; })),
      "predicate.resources[1].digest must be 64 lower-case hexadecimal digits");
}

std::vector<Resource> Hash(uint64_t shard_bytes, std::string_view contents, size_t step) {
  ResourceHasher hasher(shard_bytes);
  hasher.Begin("w");
  for (size_t i = 0; i < contents.size(); i += step) hasher.Update(AsBytes(contents.substr(i, step)));
  hasher.End();
  return hasher.Take();
}

TEST(ResourceHasherTest, ShardsAreTheSameHoweverTheBytesArrive) {
  const std::vector<Resource> wanted{File("w:0:4", "0123"), File("w:4:8", "4567"), File("w:8:10", "89")};
  for (const size_t step : {1, 2, 3, 4, 5, 7, 10}) EXPECT_EQ(Hash(4, "0123456789", step), wanted) << step;
  EXPECT_EQ(Hash(5, "0123456789", 10),
            (std::vector<Resource>{File("w:0:5", "01234"), File("w:5:10", "56789")}));
}

TEST(ResourceHasherTest, EmptyFilesAreAResourceButNoShard) {
  EXPECT_EQ(Hash(0, "", 1), (std::vector<Resource>{File("w", "")}));
  EXPECT_TRUE(Hash(4, "", 1).empty());
}

TEST_F(ModelSignatureTest, ShardsAreCheckedLikeFiles) {
  const auto shards = Hash(4, "0123456789", 10);
  const auto text = SignModel("m", shards, {.shard_bytes = 4, .ignore_paths = {"notes"}}, key).value();
  EXPECT_EQ(OpenModelSignature(text, keys)->serialization.shard_bytes, 4u);
  EXPECT_TRUE(CheckModel(text, shards, keys));
  EXPECT_EQ(CheckModel(text, Hash(4, "0123x56789", 10), keys).error().message(),
            "the model is not the one that was signed: differs from what was signed: w:4:8");
  EXPECT_FALSE(CheckModel(text, Hash(4, "01234567890", 10), keys));
  EXPECT_FALSE(CheckModel(text, Hash(4, "01234567", 10), keys));
  std::vector<Resource> with_notes = shards;
  with_notes.push_back(File("notes/a:0:1", "x"));
  EXPECT_TRUE(CheckModel(text, with_notes, keys));
}

// model-signing 1.1.1 names the size beside each digest; the specification's name alone is read too.
TEST_F(ModelSignatureTest, DigestsOfShardsAreNamedAsModelSigningNamesThem) {
  const auto text = SignModel("m", Hash(4, "0123", 4), {.shard_bytes = 4}, key).value();
  EXPECT_NE(PayloadOf(text).find(R"("algorithm":"sha256-sharded-4")"), std::string::npos);
  const auto with_name = [&](const char* name) {
    return ErrorOf(Resign(text, key, [&](auto& o) {
      o["predicate"].as_object()["resources"].as_array()[0].as_object()["algorithm"] = name;
    }));
  };
  EXPECT_EQ(with_name("sha256"), "accepted");
  EXPECT_NE(with_name("sha256-sharded-8"), "accepted");
  EXPECT_NE(ErrorOf(ResignPredicate(
                [](auto& p) { p["resources"].as_array()[0].as_object()["algorithm"] = "sha256-sharded-4"; })),
            "accepted");
}

TEST_F(ModelSignatureTest, ShardNamesThatCannotBeAreRefused) {
  for (const char* name : {"w", "w:0", "w:0:5", "w:1:4", "w:4:4", "w:8:4", "w:00:4", "w:0:4 ", "w:-4:0",
                           ":0:4", "w:0:+4", "w:0:99999999999999999999", "../w:0:4"})
    EXPECT_FALSE(SignModel("m", {File(name, "")}, {.shard_bytes = 4}, key)) << name;
  EXPECT_TRUE(SignModel("m", {File("a:b:0:4", "")}, {.shard_bytes = 4}, key));
}

// As model-signing 1.1.1 writes it: numbers of its protobuf go through doubles.
TEST_F(ModelSignatureTest, AShardSizeMayBeWrittenWithAPoint) {
  const auto text = SignModel("m", Hash(4, "0123", 4), {.shard_bytes = 4}, key).value();
  const auto with_size = [&](const boost::json::value& size) {
    return ErrorOf(Resign(text, key, [&](auto& o) {
      o["predicate"].as_object()["serialization"].as_object()["shard_size"] = size;
    }));
  };
  EXPECT_EQ(with_size(4.0), "accepted");
  EXPECT_NE(with_size(4.5), "accepted");
  EXPECT_NE(with_size(0), "accepted");
  EXPECT_NE(with_size(-4), "accepted");
  EXPECT_NE(with_size("4"), "accepted");
}

TEST_F(ModelSignatureTest, ABundleThatIsTooLargeIsRefusedUnread) {
  EXPECT_EQ(OpenModelSignature(std::string(kBundleBytesMax + 1, ' '), keys).error().code(),
            Code::kResourceExhausted);
}

}  // namespace
}  // namespace glasscase::provenance
