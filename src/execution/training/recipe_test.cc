#include <glasscase/training/recipe.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <glasscase/crypto/sha256.h>

namespace glasscase::training {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view kShort = R"({
  "environment": {"runner": "scikit-learn"},
  "code": "ada/trainer@3",
  "data": {"digits": {"version": "ada/digits@1", "role": "train"}},
  "command": ["python", "/in/code/train.py"]
})";

constexpr std::string_view kId = "6b3a4d5e-0000-4000-8000-00000000000";

Reference Resolved(char last) {
  return {.name = {},
          .version = Uuid::Parse(std::string(kId) + last).value(),
          .sha256 = Sha256(AsBytes(std::string(1, last))),
          .is_resolved = true};
}

Recipe Resolve(Recipe recipe) {
  recipe.environment.lock = Sha256(AsBytes("lock"));
  recipe.code = Resolved('1');
  for (auto& [name, dataset] : recipe.data) dataset.version = Resolved('2');
  return recipe;
}

// With `member` set to `value`, or added.
std::string With(std::string_view member, std::string_view value) {
  std::string text(kShort);
  return text.insert(1, "\"" + std::string(member) + "\": " + std::string(value) + ",");
}

std::string Refusal(const std::string& text) {
  const auto recipe = Recipe::ParseAsked(text);
  EXPECT_FALSE(recipe) << text;
  return recipe ? "" : recipe.error().message();
}

TEST(Recipe, WhatIsNotSaidHasADefault) {
  const Recipe recipe = Recipe::Parse(kShort).value();
  EXPECT_EQ(recipe.code.name, "ada/trainer@3");
  EXPECT_EQ(recipe.data.at("digits").role, Role::kTrain);
  EXPECT_EQ(recipe.threads, 1u);
  EXPECT_EQ(recipe.pins.blas, "Haswell");
  EXPECT_EQ(recipe.limits.wall_s, 3'600u);
  EXPECT_FALSE(recipe.translation.is_wanted);
}

TEST(Recipe, OnlyOneThatIsResolvedHasAnIdentity) {
  Recipe recipe = Recipe::Parse(kShort).value();
  EXPECT_THAT(recipe.Identity().error().message(), HasSubstr("scikit-learn"));
  recipe.environment.lock = Digest{};
  EXPECT_THAT(recipe.Identity().error().message(), HasSubstr("ada/trainer@3"));
  recipe.code = Resolved('1');
  EXPECT_THAT(recipe.Identity().error().message(), HasSubstr("ada/digits@1"));
  EXPECT_TRUE(Resolve(recipe).Identity());
}

TEST(Recipe, ItsTextIsReadBackAndIsTheSame) {
  const Recipe recipe = Resolve(Recipe::Parse(With("translate", "\"onnx\"")).value());
  const std::string text = recipe.Canonical().value();
  const Recipe again = Recipe::Parse(text).value();
  EXPECT_EQ(again.Canonical().value(), text);
  EXPECT_EQ(again.Identity().value(), Sha256(AsBytes(text)));
  EXPECT_THAT(text, HasSubstr(R"("umask":"0022")"));
  EXPECT_THAT(text, HasSubstr(R"("role":"train","sha256":")"));
}

TEST(Recipe, WhoTranslatesItsResultIsPinnedLikeItsEnvironment) {
  Recipe recipe = Resolve(
      Recipe::Parse(With("translate", R"({"to": "onnx", "runner": "pytorch", "wall_s": 60})")).value());
  EXPECT_THAT(recipe.Canonical().error().message(), HasSubstr("the runner pytorch"));
  recipe.translation.lock = Digest{};
  const std::string text = recipe.Canonical().value();
  EXPECT_THAT(text, HasSubstr(R"("runner":"pytorch","to":"onnx","wall_s":60})"));
  EXPECT_EQ(Recipe::Parse(text).value().Canonical().value(), text);
  // One way to say one thing.
  EXPECT_THAT(Resolve(Recipe::Parse(With("translate", R"({"to": "onnx"})")).value()).Canonical().value(),
              HasSubstr(R"("translate":"onnx")"));
}

TEST(Recipe, ADefaultThatIsSaidChangesNothingAndEverythingElseDoes) {
  const Digest identity = Resolve(Recipe::Parse(kShort).value()).Identity().value();
  const auto identity_with = [](std::string_view member, std::string_view value) {
    return Resolve(Recipe::Parse(With(member, value)).value()).Identity().value();
  };
  EXPECT_EQ(identity_with("seed", "0"), identity);
  EXPECT_EQ(identity_with("pins", R"({"torch": "avx2"})"), identity);
  EXPECT_EQ(identity_with("limits", R"({"cpus": 1})"), identity);
  for (const auto& [member, value] : std::map<std::string, std::string>{{"seed", "1"},
                                                                        {"threads", "2"},
                                                                        {"pins", R"({"blas": "off"})"},
                                                                        {"clock", "1"},
                                                                        {"locale", "\"POSIX\""},
                                                                        {"timezone", "\"Europe/Helsinki\""},
                                                                        {"umask", "\"0077\""},
                                                                        {"limits", R"({"wall_s": 1})"},
                                                                        {"translate", "\"onnx\""}})
    EXPECT_NE(identity_with(member, value), identity) << member;
}

TEST(Recipe, WhatIsWrongIsNamed) {
  EXPECT_THAT(Refusal("{"), HasSubstr("byte"));
  EXPECT_THAT(Refusal("[]"), HasSubstr("must be an object"));
  EXPECT_THAT(Refusal("{}"), HasSubstr("environment"));
  EXPECT_THAT(Refusal(With("sed", "1")), HasSubstr("unknown member sed"));
  EXPECT_THAT(Refusal(With("v", "2")), HasSubstr("recipe.v"));
  EXPECT_THAT(Refusal(With("seed", "-1")), HasSubstr("recipe.seed"));
  EXPECT_THAT(Refusal(With("seed", "4294967296")), HasSubstr("4294967295"));
  EXPECT_THAT(Refusal(With("threads", "0")), HasSubstr("from 1 to"));
  EXPECT_THAT(Refusal(With("pins", R"({"numpy": "SSE9"})")), HasSubstr("AVX2"));
  EXPECT_THAT(Refusal(With("pins", R"({"gpu": "x"})")), HasSubstr("unknown member gpu"));
  EXPECT_THAT(Refusal(With("pins", R"({"blas": "haswel"})")),
              AllOf(HasSubstr("pins.blas must be Haswell, Zen,"), HasSubstr("NEOVERSEN2 or off")));
  EXPECT_THAT(Refusal(With("pins", R"({"onednn": "DEFAULT"})")),
              HasSubstr("pins.onednn must be SSE41, AVX,"));
  EXPECT_THAT(Refusal(With("pins", R"({"torch": "AVX2"})")),
              HasSubstr("pins.torch must be default, avx2, avx512 or off"));
  EXPECT_THAT(Refusal(With("umask", "\"0777\"")), HasSubstr("umask"));
  EXPECT_THAT(Refusal(With("umask", "22")), HasSubstr("umask"));
  EXPECT_THAT(Refusal(With("limits", R"({"memory_bytes": 10})")), HasSubstr("memory_bytes"));
  EXPECT_THAT(Refusal(With("translate", "\"pmml\"")), HasSubstr("onnx"));
  EXPECT_THAT(Refusal(With("translate", R"({"to": "no"})")), HasSubstr("translate.to"));
  EXPECT_THAT(Refusal(With("translate", R"({"to": "onnx", "image": "x"})")), HasSubstr("image"));
  EXPECT_THAT(Refusal(With("translate", R"({"to": "onnx", "wall_s": 0})")), HasSubstr("wall_s"));
  for (const char* locale : {"\"a b\"", "\"de_DE.UTF-8\"", "\"\""})
    EXPECT_THAT(Refusal(With("locale", locale)), HasSubstr("locale must be C, C.UTF-8 or POSIX")) << locale;
  for (const char* zone :
       {"\"Nowhere/X\"", "\"Europe/\"", "\"Europe\"", "\"utc\"", "\"JST\"", "\"JST-999\"", "\"\""})
    EXPECT_THAT(Refusal(With("timezone", zone)), HasSubstr("timezone must be UTC")) << zone;
}

TEST(Recipe, WhatWasRecordedIsReadThoughItWouldNotBeTakenNow) {
  EXPECT_EQ(Recipe::Parse(With("pins", R"({"blas": "haswel"})")).value().pins.blas, "haswel");
  EXPECT_EQ(Recipe::Parse(With("locale", "\"de_DE.UTF-8\"")).value().locale, "de_DE.UTF-8");
  EXPECT_EQ(Recipe::Parse(With("timezone", "\"Japan\"")).value().timezone, "Japan");
}

TEST(Recipe, TimeZonesAreNamedOrSaidByTheirDistance) {
  for (const char* zone : {"UTC", "Europe/Helsinki", "America/Argentina/Buenos_Aires", "Etc/GMT+5", "JST-9",
                           "CET-1CEST", "EST5EDT4"})
    EXPECT_EQ(Recipe::ParseAsked(With("timezone", "\"" + std::string(zone) + "\"")).value().timezone, zone);
}

std::string Recipe2(std::string_view environment, std::string_view data, std::string_view command) {
  return "{\"environment\":" + std::string(environment) + ",\"code\":\"x\",\"data\":" + std::string(data) +
         ",\"command\":" + std::string(command) + "}";
}

TEST(Recipe, AnImageIsNamedByItsDigest) {
  const std::string digest(64, 'a');
  for (const std::string& bad : {std::string("python:3.11"), std::string("python@sha256:abc"),
                                 "@sha256:" + digest, "a b@sha256:" + digest})
    EXPECT_THAT(Refusal(Recipe2("{\"image\":\"" + bad + "\"}", "{}", "[\"x\"]")), HasSubstr("image")) << bad;
  const Recipe recipe =
      Recipe::Parse(
          Recipe2("{\"image\":\"registry.example:5000/a/b@sha256:" + digest + "\"}", "{}", "[\"x\"]"))
          .value();
  EXPECT_EQ(recipe.environment.platform, "linux/amd64");
  EXPECT_THAT(Refusal(Recipe2(R"({"image":"x","runner":"y"})", "{}", "[\"x\"]")),
              HasSubstr("a runner, or an image"));
}

TEST(Recipe, FoldersOfDatasetsHavePlainNames) {
  for (const char* bad : {"..", ".x", "a/b", "", "a b", "ä"})
    EXPECT_THAT(
        Refusal(Recipe2(R"({"runner":"y"})",
                        R"({")" + std::string(bad) + R"(":{"version":"x","role":"train"}})", "[\"x\"]")),
        HasSubstr("folder"))
        << bad;
  EXPECT_THAT(Refusal(Recipe2(R"({"runner":"y"})", R"({"a":{"version":"x","role":"validate"}})", "[\"x\"]")),
              HasSubstr("train"));
  EXPECT_THAT(Refusal(Recipe2(R"({"runner":"y"})", R"({"a":{"version":"x","sha256":"00","role":"train"}})",
                              "[\"x\"]")),
              HasSubstr("UUID"));
}

TEST(Recipe, ACommandHasWords) {
  for (const char* bad : {"[]", "[1]", "[\"\"]", "\"x\"", "[\"a\\u0000b\"]"})
    EXPECT_THAT(Refusal(Recipe2(R"({"runner":"y"})", "{}", bad)), HasSubstr("command")) << bad;
}

TEST(Recipe, TheRunIsToldItsPins) {
  Recipe recipe = Recipe::Parse(With("threads", "4")).value();
  auto variables = recipe.Variables("/runner/bin:/usr/bin");
  EXPECT_EQ(variables.at("PATH"), "/runner/bin:/usr/bin");
  EXPECT_EQ(variables.at("OPENBLAS_NUM_THREADS"), "4");
  EXPECT_EQ(variables.at("OPENBLAS_CORETYPE"), "Haswell");
  EXPECT_EQ(variables.at("MKL_CBWR"), "AVX2");
  EXPECT_THAT(variables.at("NPY_DISABLE_CPU_FEATURES"), AllOf(HasSubstr("AVX512_SKX"), HasSubstr("X86_V4")));
  EXPECT_THAT(variables.at("NPY_DISABLE_CPU_FEATURES"), Not(HasSubstr("X86_V3"))) << "which is AVX2";
  EXPECT_EQ(variables.at("XLA_FLAGS"), "--xla_cpu_max_isa=AVX2");
  recipe.pins = {.blas = "off", .onednn = "off", .torch = "off", .numpy = "off"};
  variables = recipe.Variables("/usr/bin");
  for (const char* off : {"OPENBLAS_CORETYPE", "MKL_CBWR", "ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY",
                          "NPY_DISABLE_CPU_FEATURES", "XLA_FLAGS"})
    EXPECT_FALSE(variables.contains(off)) << off;
}

TEST(Recipe, EveryGenerationOfNumpyIsToldWhatIsAboveThePin) {
  Recipe recipe = Recipe::Parse(With("pins", R"({"numpy": "SSE42", "blas": "Nehalem"})")).value();
  const auto variables = recipe.Variables("/usr/bin");
  EXPECT_THAT(variables.at("NPY_DISABLE_CPU_FEATURES"),
              AllOf(HasSubstr("AVX2"), HasSubstr("X86_V3"), HasSubstr("X86_V4")));
  EXPECT_EQ(variables.at("XLA_FLAGS"), "--xla_cpu_max_isa=SSE4_2");
  EXPECT_EQ(variables.at("MKL_CBWR"), "SSE4_2");
  recipe.pins.blas = "Katmai";
  EXPECT_EQ(recipe.Variables("/usr/bin").at("MKL_CBWR"), "COMPATIBLE") << "no branch is the same as it";
}

TEST(Recipe, AnImageBringsItsOwnLocales) {
  std::string text =
      Recipe2("{\"image\":\"registry.example/a@sha256:" + std::string(64, 'a') + "\"}", "{}", "[\"x\"]");
  text.replace(text.rfind('}'), 1, ",\"locale\":\"de_DE.UTF-8\"}");
  EXPECT_EQ(Recipe::ParseAsked(text).value().locale, "de_DE.UTF-8");
}

TEST(Recipe, TheXlaOfAnImageIsNotToldWhatItMayNotKnow) {
  const Recipe recipe =
      Recipe::Parse(
          Recipe2("{\"image\":\"registry.example/a@sha256:" + std::string(64, 'a') + "\"}", "{}", "[\"x\"]"))
          .value();
  EXPECT_FALSE(recipe.Variables("").contains("XLA_FLAGS"));
}

}  // namespace
}  // namespace glasscase::training
