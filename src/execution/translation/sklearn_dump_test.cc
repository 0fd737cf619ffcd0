#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <glasscase/translation/evaluator.h>
#include <glasscase/translation/read.h>

#include "small_models_test.h"

namespace glasscase::translation {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Refusal(const std::string& text) {
  const auto model = Read(AsBytes(text));
  return model ? "accepted" : model.error().message();
}

TEST(SklearnDumpTest, ATreeOfProbabilitiesIsRead) {
  const auto model = Read(AsBytes(SklearnDump()));
  ASSERT_TRUE(model) << model.error().message();
  EXPECT_EQ(model->source, "scikit-learn 1.9.1 DecisionTreeClassifier");
  Answers answers;
  ASSERT_TRUE(MakeSourceEvaluator(*model)->Run(std::vector<float>{0, 0.1F, NAN}, answers));
  EXPECT_THAT(answers.outputs, ElementsAre(0.75, 0.25, 0, 1, 0.75, 0.25));
  EXPECT_THAT(answers.classes, ElementsAre(0, 1, 0));
}

TEST(SklearnDumpTest, WhereTheSumIsZeroTheDumpSaysWhichClassItIs) {
  for (const auto& [text, second] :
       {std::pair{Boosting(true), 1U}, std::pair{Boosting(false), 0U},
        std::pair{With(Boosting(true), R"("zero_is_second":true,)", ""), 0U}}) {  // as older dumps
    const auto model = Read(AsBytes(text));
    ASSERT_TRUE(model) << model.error().message();
    Answers answers;
    ASSERT_TRUE(MakeSourceEvaluator(*model)->Run(std::vector<float>{0, 0.5F, 1}, answers));
    EXPECT_THAT(answers.outputs, ElementsAre(DoubleNear(0.88, 0.01), DoubleNear(0.12, 0.01), 0.5, 0.5,
                                             DoubleNear(0.12, 0.01), DoubleNear(0.88, 0.01)));
    EXPECT_THAT(answers.classes, ElementsAre(0, second, 1));
  }
}

TEST(SklearnDumpTest, ALinearModelIsRead) {
  const auto model = Read(AsBytes(
      R"({"format":"glasscase sklearn dump","version":1,"scikit_learn":"1.9.1","estimator":"Ridge","features":2,"task":"regressor",)"
      R"("transform":"identity","kind":"linear","mean":[1,2],"scale":[2,0.5],"coefficients":[3,4],"intercepts":[5]})"));
  ASSERT_TRUE(model) << model.error().message();
  Answers answers;
  ASSERT_TRUE(MakeSourceEvaluator(*model)->Run(std::vector<float>{2, 4}, answers));
  EXPECT_THAT(answers.outputs, ElementsAre(2 * 3 + 1 * 4 + 5));
}

TEST(SklearnDumpTest, RefusesWhatItDoesNotKnow) {
  EXPECT_THAT(Refusal(With(SklearnDump(), R"("version":1)", R"("version":2)")),
              HasSubstr("version 2; this program reads version 1"));
  EXPECT_THAT(Refusal(With(SklearnDump(), R"("identity")", R"("probit")")),
              HasSubstr("\"transform\" is \"probit\""));
  EXPECT_THAT(Refusal(With(SklearnDump(), R"(["no","yes"])", "[0.5,1]")),
              HasSubstr("neither a whole number nor a text"));
  EXPECT_THAT(Refusal(With(SklearnDump(), R"(["no","yes"])", R"(["no"])")),
              HasSubstr("1 classes for 2 outputs"));
  EXPECT_THAT(Refusal(With(SklearnDump(), R"("leaf_width":2)", R"("leaf_width":0)")),
              HasSubstr("\"leaf_width\" is 0"));
  EXPECT_THAT(Refusal(With(Boosting(true), R"("zero_is_second":true)", R"("zero_is_second":1)")),
              HasSubstr("\"zero_is_second\" is not true or false"));
  EXPECT_THAT(Refusal(With(SklearnDump(), "[0.1,0,0]", "[NaN,0,0]")), HasSubstr("\"threshold\" holds NaN"));
  EXPECT_THAT(Refusal(With(SklearnDump(), "[0.1,0,0]", "[null,0,0]")), HasSubstr("mixes numbers"));
  EXPECT_THAT(Refusal(With(SklearnDump(), R"("left":[1)", R"("left":[0)")), HasSubstr("below itself"));
  EXPECT_THAT(Refusal(With(SklearnDump(), R"(0.75,0.25)", R"(1e999,0.25)")), HasSubstr("not finite"));
}

}  // namespace
}  // namespace glasscase::translation
