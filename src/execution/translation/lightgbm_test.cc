#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <glasscase/translation/evaluator.h>
#include <glasscase/translation/read.h>

#include "small_models_test.h"

namespace glasscase::translation {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Refusal(const std::string& text) {
  const auto model = Read(AsBytes(text));
  return model ? "accepted" : model.error().message();
}

std::vector<double> Evaluate(const std::string& text, const std::vector<float>& inputs) {
  const auto model = Read(AsBytes(text));
  EXPECT_TRUE(model) << model.error().message();
  if (!model) return {};
  Answers answers;
  EXPECT_TRUE(MakeSourceEvaluator(*model)->Run(inputs, answers));
  return answers.outputs;
}

TEST(LightgbmTest, ThresholdsAreDoublesThatNoFloatCrosses) {
  // The float nearest to 0.1 is above it.
  const float above = 0.1F;
  const float below = std::nextafter(above, 0.0F);
  EXPECT_THAT(Evaluate(Lightgbm(), {below, 0, above, 0, above, -2, above, std::nextafter(-2.0F, 0.0F)}),
              ElementsAre(1, 3, 2, 3));
}

// LightGBM itself answers so: it reads what is within 1e-35 of 0 as 0, and its thresholds beside 0 are of
// that size.
TEST(LightgbmTest, WhatIsNearZeroGoesWhereZeroGoes) {
  const float tiny = 1e-35F;
  const float below = std::nextafter(-tiny, -1.0F);
  const float above = std::nextafter(tiny, 1.0F);
  const std::string under = With(Lightgbm(), "threshold=0.1", "threshold=-1.0000000180025095e-35");
  EXPECT_THAT(Evaluate(under, {-tiny, -3, -1e-40F, -3, 0, -3, below, -3}), ElementsAre(2, 2, 2, 1));
  const std::string over = With(Lightgbm(), "threshold=0.1", "threshold=1e-40");
  EXPECT_THAT(Evaluate(over, {0, -3, 1e-39F, -3, tiny, -3, above, -3}), ElementsAre(1, 1, 1, 2));
}

TEST(LightgbmTest, NanIsZeroWhereNoneWereMissing) {
  EXPECT_THAT(Evaluate(Lightgbm(), {NAN, 0, 1, NAN}), ElementsAre(1, 3));
  EXPECT_THAT(Evaluate(With(Lightgbm(), "threshold=0.1", "threshold=-0.1"), {NAN, -3}), ElementsAre(2));
}

TEST(LightgbmTest, ZeroIsMissingWhereTheFeatureSaysSo) {
  // Feature 0: zeros and NaN go right, although 0 <= 0.1.
  const std::string text = With(Lightgbm(), "decision_type=0 8", "decision_type=4 8");
  EXPECT_THAT(Evaluate(text, {0, -3, 1e-35F, -3, NAN, -3, -1, -3, 1e-34F, -3}), ElementsAre(2, 2, 2, 1, 1));
  // To the left: decision_type 6.
  EXPECT_THAT(Evaluate(With(Lightgbm(), "decision_type=0 8", "decision_type=6 8"), {0, -3}), ElementsAre(1));
}

TEST(LightgbmTest, ATreeOfOneLeafIsRead) {
  const std::string text = Lightgbm();
  const std::string leaf =
      text.substr(0, text.find("num_leaves")) + "num_leaves=1\nnum_cat=0\nleaf_value=7\n\nend of trees\n";
  EXPECT_THAT(Evaluate(leaf, {0, 0}), ElementsAre(7));
}

TEST(LightgbmTest, AFormatNewerThanTestedIsSaid) {
  for (const auto& [version, said] :
       {std::pair{"version=v3", "LightGBM, format v3"}, std::pair{"version=v4", "LightGBM, format v4"},
        std::pair{"version=v9", "LightGBM, format v9, newer than v4, the last that was tested"},
        std::pair{"version=next", "LightGBM, format next, newer than v4, the last that was tested"}}) {
    const auto model = Read(AsBytes(With(Lightgbm(), "version=v4", version)));
    ASSERT_TRUE(model) << model.error().message();
    EXPECT_EQ(model->source, said);
  }
}

TEST(LightgbmTest, RefusesByName) {
  EXPECT_THAT(Refusal(With(Lightgbm(), "threshold=0.1", "threshold=nan")),
              HasSubstr("tree 0, node 0: the threshold is NaN"));
  EXPECT_THAT(Refusal(With(Lightgbm(), "num_cat=0", "num_cat=1")),
              HasSubstr("categorical splits are not supported"));
  EXPECT_THAT(Refusal(With(Lightgbm(), "decision_type=0", "decision_type=1")),
              HasSubstr("split 0 is categorical"));
  EXPECT_THAT(Refusal(With(Lightgbm(), "is_linear=0", "is_linear=1")), HasSubstr("linear trees"));
  EXPECT_THAT(Refusal(With(Lightgbm(), "objective=regression", "objective=cross_entropy_lambda")),
              HasSubstr("is not supported: train with one of binary, multiclass,"));
}

TEST(LightgbmTest, RefusesWhatIsNoTree) {
  EXPECT_THAT(Refusal(With(Lightgbm(), "right_child=1", "right_child=0")),
              HasSubstr("two parents or is below itself"));
  EXPECT_THAT(Refusal(With(Lightgbm(), "left_child=-1", "left_child=-9")), HasSubstr("does not exist"));
  EXPECT_THAT(Refusal(With(Lightgbm(), "threshold=0.1", "threshold=nan")), HasSubstr("the threshold is NaN"));
  EXPECT_THAT(Refusal(With(Lightgbm(), "split_feature=0", "split_feature=2")),
              HasSubstr("a feature that does not exist"));
  EXPECT_THAT(Refusal(With(Lightgbm(), "leaf_value=1 2", "leaf_value=1 x")),
              HasSubstr("\"x\", which is no number"));
  EXPECT_THAT(Refusal(With(Lightgbm(), "leaf_value=1 2 3", "leaf_value=1 2")),
              HasSubstr("does not hold 3 numbers"));
  EXPECT_THAT(Refusal(With(Lightgbm(), "num_leaves=3", "num_leaves=4000000000")),
              HasSubstr("\"num_leaves\""));
  EXPECT_THAT(Refusal(With(Lightgbm(), "Tree=0", "Tree=1")), HasSubstr("where Tree=0 is expected"));
  EXPECT_THAT(Refusal(With(Lightgbm(), "end of trees", "")), HasSubstr("where Tree=1 is expected"));
  const std::string good = Lightgbm();
  for (size_t cut = 5; cut < good.find("end of trees"); cut += 7)
    EXPECT_NE(Refusal(good.substr(0, cut)), "accepted") << cut;
}

}  // namespace
}  // namespace glasscase::translation
