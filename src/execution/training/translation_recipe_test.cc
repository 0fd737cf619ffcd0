#include <glasscase/training/translation_recipe.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace glasscase::training {
namespace {

using ::testing::HasSubstr;

const std::string kId = "6b3a4d5e-0000-4000-8000-000000000001";
const std::string kSha256(64, 'a');
const std::string kSource = R"("source":{"sha256":")" + kSha256 + R"(","version":")" + kId + R"("})";

TEST(TranslationRecipe, TheCanonicalFormIsReadAsItWasWritten) {
  const std::string native =
      R"({"environment":{"translator":"0.1.0"},)" + kSource + R"(,"translate":"onnx","v":1})";
  const auto read = TranslationRecipe::Parse(native);
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_TRUE(read->translator.IsNative());
  EXPECT_EQ(read->source.version.ToString(), kId);
  EXPECT_EQ(read->Canonical().value(), native);

  const std::string code = R"("code":{"sha256":")" + kSha256 + R"(","version":")" + kId + R"("},)";
  const std::string by_runner = R"({"allow_pickle":true,)" + code + R"("environment":{"lock":")" + kSha256 +
                                R"(","runner":"torch"},"exporter":"dynamo","opset":17,)" + kSource +
                                R"(,"translate":"onnx","v":1})";
  const auto other = TranslationRecipe::Parse(by_runner);
  ASSERT_TRUE(other) << other.error().message();
  EXPECT_EQ(other->translator.runner, "torch");
  EXPECT_EQ(other->opset, 17u);
  EXPECT_EQ(other->exporter, "dynamo");
  EXPECT_TRUE(other->allow_pickle);
  EXPECT_EQ(other->Canonical().value(), by_runner);
}

TEST(TranslationRecipe, DatasetsAndTheTimeItMayTakeStandInIt) {
  const std::string text = R"({"data":{"rain":{"sha256":")" + kSha256 + R"(","version":")" + kId +
                           R"("}},"environment":{"translator":"1"},"limits":{"wall_s":60},)" + kSource +
                           R"(,"translate":"onnx","v":1})";
  const auto read = TranslationRecipe::Parse(text);
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(read->data.at("rain").version.ToString(), kId);
  EXPECT_EQ(read->wall_s, 60u);
  EXPECT_EQ(read->Canonical().value(), text);
}

Reference Version(int n) {
  Reference version{.name = {}, .is_resolved = true};
  version.version = Uuid::Parse("6b3a4d5e-0000-4000-8000-00000000001" + std::to_string(n)).value();
  return version;
}

TEST(TranslationRecipe, EachDatasetHasANameOfItsOwnThatCanBeReadAgain) {
  TranslationRecipe recipe;
  for (const size_t bytes : {4U, 63U, 64U}) {
    const std::string name(bytes, 'r');
    for (int n = 1; n <= 4; ++n) recipe.AddData(name, Version(n));
    ASSERT_EQ(recipe.data.size(), 4U) << bytes;
    for (int n = 2; n <= 4; ++n) {
      const std::string numbered = name.substr(0, 62) + "." + std::to_string(n);
      ASSERT_TRUE(recipe.data.contains(numbered)) << bytes;
      EXPECT_EQ(recipe.data.at(numbered).version, Version(n).version);
    }
    recipe.translator.version = "1";
    const auto text = recipe.Canonical();
    const auto read = TranslationRecipe::Parse(text.value());
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_EQ(read->data.size(), 4U);
    recipe.data.clear();
  }
}

TEST(TranslationRecipe, ADatasetStandsInItOnceAndUnderAFoldersName) {
  TranslationRecipe recipe;
  recipe.AddData("rain", Version(1));
  recipe.AddData("rain", Version(1));
  recipe.AddData("no folder", Version(2));
  EXPECT_EQ(recipe.data.size(), 1U);
  for (size_t n = 0; n < 2 * Recipe::kDatasetsMax; ++n)
    recipe.AddData("rain", {.name = {}, .version = Uuid::Random(), .is_resolved = true});
  EXPECT_EQ(recipe.data.size(), Recipe::kDatasetsMax);
}

TEST(TranslationRecipe, TablesAndArraysOfABoundedSizeTellARange) {
  EXPECT_TRUE(TranslationRecipe::MayTellRange("a/rain.csv", 10));
  EXPECT_TRUE(TranslationRecipe::MayTellRange("rain.npz", TranslationRecipe::kDataFileBytesMax));
  EXPECT_FALSE(TranslationRecipe::MayTellRange("rain.npy", TranslationRecipe::kDataFileBytesMax + 1));
  EXPECT_FALSE(TranslationRecipe::MayTellRange("rain.csv", 0));
  EXPECT_FALSE(TranslationRecipe::MayTellRange("rain.png", 10));
}

TEST(TranslationRecipe, WhatIsWrongIsNamed) {
  const auto why = [](const std::string& members) {
    const auto read = TranslationRecipe::Parse("{" + members + R"("translate":"onnx","v":1})");
    return read ? std::string("accepted") : read.error().message();
  };
  const std::string native = R"("environment":{"translator":"1"},)";
  EXPECT_THAT(why(native), HasSubstr("source"));
  EXPECT_THAT(why(kSource + ","), HasSubstr("environment"));
  EXPECT_THAT(why(native + kSource + R"(,"opset":0,)"), HasSubstr("opset must be from 1 to 1000"));
  EXPECT_THAT(why(native + kSource + R"(,"exporter":"guess",)"), HasSubstr("torchscript or dynamo"));
  EXPECT_THAT(why(native + kSource + R"(,"allow_pickle":1,)"), HasSubstr("allow_pickle"));
  EXPECT_THAT(why(native + kSource + R"(,"epochs":0,)"), HasSubstr("epochs"));
  EXPECT_THAT(why(native + kSource + R"(,"limits":{"wall_s":0},)"), HasSubstr("wall_s must be from 1 to"));
  EXPECT_THAT(why(native + kSource + R"(,"limits":{"cpus":2},)"), HasSubstr("cpus"));
  EXPECT_THAT(why(native + kSource + R"(,"data":{"../x":{}},)"), HasSubstr("no name for a folder"));
  EXPECT_THAT(why(R"("environment":{"translator":"1","runner":"torch"},)" + kSource + ","),
              HasSubstr("runner"));
  EXPECT_THAT(why(native + R"("source":"ada/digits@1",)"), HasSubstr("source"));
}

}  // namespace
}  // namespace glasscase::training
