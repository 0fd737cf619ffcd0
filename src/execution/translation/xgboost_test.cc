#include <fstream>
#include <iterator>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <glasscase/translation/evaluator.h>
#include <glasscase/translation/read.h>

#include "small_models_test.h"

namespace glasscase::translation {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::string Refusal(const std::string& text) {
  const auto model = Read(AsBytes(text));
  return model ? "accepted" : model.error().message();
}

std::vector<double> Evaluate(const Model& model, const std::vector<float>& inputs) {
  Answers answers;
  EXPECT_TRUE(MakeSourceEvaluator(model)->Run(inputs, answers));
  return answers.outputs;
}

TEST(XgboostTest, ATreeIsReadWithItsBaseAndMissingValues) {
  const auto model = Read(AsBytes(XgboostJson()));
  ASSERT_TRUE(model) << model.error().message();
  EXPECT_EQ(model->source, "XGBoost 3.2.0");
  EXPECT_EQ(model->features, 2U);
  EXPECT_THAT(Evaluate(*model, {0.5F, 0, 0.25F, -1, 0.25F, -2, NAN, -2, 0, NAN}),
              ElementsAre(3.25, 2.25, 1.25, 1.25, 2.25));
}

TEST(XgboostTest, BaseScoresOfBothLayoutsAreRead) {
  const auto older = Read(AsBytes(With(XgboostJson(), "\"[2.5E-1]\"", "\"2.5E-1\"")));
  ASSERT_TRUE(older);
  EXPECT_THAT(std::get<TreeEnsemble>(older->body).base, ElementsAre(0.25));
  EXPECT_THAT(Refusal(With(XgboostJson(), "[2.5E-1]", "[2.5E-1,1]")), HasSubstr("\"base_score\""));
  EXPECT_THAT(Refusal(With(XgboostJson(), "[2.5E-1]", "")), HasSubstr("\"base_score\""));
}

TEST(XgboostTest, AModelOfOneClassIsRefusedByItsBase) {
  const std::string logistic = With(XgboostJson(), "reg:squarederror", "binary:logistic");
  for (const char* score : {"0E0", "1E0"})
    EXPECT_THAT(Refusal(With(logistic, "2.5E-1", score)), HasSubstr("one class only")) << score;
  EXPECT_EQ(Refusal(With(XgboostJson(), "2.5E-1", "0E0")), "accepted");
}

TEST(XgboostTest, LogisticModelsHaveTwoClasses) {
  const auto model = Read(AsBytes(With(XgboostJson(), "reg:squarederror", "binary:logistic")));
  ASSERT_TRUE(model);
  EXPECT_THAT(model->head.integer_labels, ElementsAre(0, 1));
  EXPECT_EQ(model->outputs(), 2U);
}

TEST(XgboostTest, PrunedNodesAreLeftOut) {
  std::string text =
      With(XgboostJson(), R"("left_children":[1,3,-1,-1,-1])", R"("left_children":[1,-1,-1,-1,-1])");
  text = With(text, R"("right_children":[2,4,-1,-1,-1])", R"("right_children":[2,-1,-1,-1,-1])");
  EXPECT_THAT(Refusal(text), HasSubstr("tree 0, node 3: no path"));
  text = With(text, R"("split_indices":[0,1,0,0,0])", R"("split_indices":[0,1,0,2147483647,2147483647])");
  const auto model = Read(AsBytes(text));
  ASSERT_TRUE(model) << model.error().message();
  EXPECT_EQ(std::get<TreeEnsemble>(model->body).nodes.size(), 3U);
}

TEST(XgboostTest, RefusesByName) {
  const std::string good = XgboostJson();
  EXPECT_THAT(Refusal(With(good, R"("split_type":[0)", R"("split_type":[1)")),
              HasSubstr("categorical splits"));
  EXPECT_THAT(Refusal(With(good, R"("size_leaf_vector":"1")", R"("size_leaf_vector":"3")")),
              HasSubstr("vector leaves"));
  EXPECT_THAT(Refusal(With(good, "reg:squarederror", "survival:cox")),
              HasSubstr("\"survival:cox\" is not supported: train with one of binary:logistic, multi:"));
  EXPECT_THAT(Refusal(With(good, R"("name":"gbtree")", R"("name":"gblinear")")),
              HasSubstr("gblinear is not supported"));
}

TEST(XgboostTest, RefusesWhatIsNoTree) {
  const std::string good = XgboostJson();
  EXPECT_THAT(Refusal(With(good, R"("left_children":[1,3)", R"("left_children":[1,0)")),
              HasSubstr("node 0 has two parents or is below itself"));
  EXPECT_THAT(Refusal(With(good, R"("left_children":[1,3)", R"("left_children":[1,99)")),
              HasSubstr("trees[0]: node 1 is neither"));
  EXPECT_THAT(Refusal(With(good, R"("left_children":[1,3)", R"("left_children":[1.5,3)")),
              HasSubstr("node 0 is neither"));
  EXPECT_THAT(Refusal(With(good, R"("split_indices":[0)", R"("split_indices":[2)")),
              HasSubstr("splits on feature 2"));
  EXPECT_THAT(Refusal(With(good, R"("tree_info":[0])", R"("tree_info":[1])")),
              HasSubstr("an output that does not exist"));
  EXPECT_THAT(Refusal(With(good, R"("tree_info":[0])", R"("tree_info":[])")),
              HasSubstr("\"tree_info\" has 0 numbers, expected 1"));
  EXPECT_THAT(Refusal(With(good, R"("default_left":[1,0)", R"("default_left":[1)")),
              HasSubstr("\"default_left\" has 4 numbers, expected 5"));
  EXPECT_THAT(Refusal(good.substr(0, good.size() / 2)), HasSubstr("cut off"));
  EXPECT_THAT(Refusal(With(good, "\"version\"", "\"versoin\"")), HasSubstr("\"version\" is missing"));
}

// "split_conditions" as UBJSON writes it, and the first of its numbers.
std::string WithNanThreshold(std::string ubj) {
  using namespace std::string_literals;
  const size_t at = ubj.find("split_conditions[$d#L");
  return ubj.replace(at + 21 + 8, 4, "\x7F\xC0\0\0"s);
}

TEST(XgboostTest, ANanThresholdIsNamed) {
  EXPECT_THAT(Refusal(With(XgboostJson(), R"("split_conditions":[5E-1)", R"("split_conditions":[NaN)")),
              HasSubstr("\"split_conditions\" holds NaN: no threshold"));
  std::ifstream file(GLASSCASE_SOURCE_DIR "/fuzz/corpus/xgboost_ubj/binary", std::ios::binary);
  const std::string ubj((std::istreambuf_iterator<char>(file)), {});
  EXPECT_EQ(Refusal(ubj), "accepted");
  EXPECT_EQ(Refusal(WithNanThreshold(ubj)), "tree 0, node 0: the threshold is NaN");
}

TEST(XgboostTest, AVersionNewerThanTestedIsSaid) {
  for (const auto& [version, said] :
       {std::pair{"[3,2,9]", "XGBoost 3.2.9"},
        std::pair{"[3,3,0]", "XGBoost 3.3.0, newer than 3.2, the last that was tested"},
        std::pair{"[4,0,0]", "XGBoost 4.0.0, newer than 3.2, the last that was tested"},
        std::pair{"[2,9,0]", "XGBoost 2.9.0"}}) {
    const auto model = Read(AsBytes(With(XgboostJson(), "[3,2,0]", version)));
    ASSERT_TRUE(model) << model.error().message();
    EXPECT_EQ(model->source, said);
  }
}

// Three rounds of one tree, or with `forest` trees in a round.
std::string StoppedEarly(const std::string& best, const std::string& forest) {
  std::string text = With(XgboostJson(), "[0],\"trees\":[",
                          "[0,0,0],\"trees\":[" + XgboostTree() + "," + XgboostTree() + ",");
  text = With(text, R"("num_parallel_tree":"1")", R"("num_parallel_tree":")" + forest + "\"");
  return With(text, R"("attributes":{})",
              R"("attributes":{"best_iteration":")" + best + R"(","best_score":"0.1"})");
}

TEST(XgboostTest, RoundsAfterTheBestAreSaid) {
  const auto stopped = Read(AsBytes(StoppedEarly("0", "1")));
  ASSERT_TRUE(stopped) << stopped.error().message();
  EXPECT_EQ(std::get<TreeEnsemble>(stopped->body).trees.size(), 3U);
  EXPECT_THAT(
      stopped->notes,
      ElementsAre("the file names round 1 of 3 as the best (early stopping); all 3 are translated, while "
                  "XGBoost's scikit-learn classes predict with the first 1: save booster[: 1] to translate "
                  "those"));
  for (const auto& [best, forest] : {std::pair{"2", "1"}, std::pair{"7", "1"}, std::pair{"0", "3"},
                                     std::pair{"none", "1"}, std::pair{"-1", "1"}}) {
    const auto model = Read(AsBytes(StoppedEarly(best, forest)));
    ASSERT_TRUE(model) << model.error().message();
    EXPECT_THAT(model->notes, ElementsAre()) << best << " " << forest;
  }
}

TEST(XgboostTest, OtherFilesAreNamed) {
  EXPECT_THAT(Refusal("\x80\x04\x95"), HasSubstr("this is a pickle"));
  EXPECT_THAT(Refusal("PK\x03\x04"), HasSubstr("archive"));
  EXPECT_THAT(Refusal("\x08\x08\x12"), HasSubstr("ONNX already"));
  EXPECT_THAT(Refusal(""), HasSubstr("empty"));
  EXPECT_THAT(Refusal("hello"), HasSubstr("What can be translated"));
  for (const char* other : {"{}", R"({"a":1})", R"({"name":"tree","version":"v4","tree_info":[]})"})
    EXPECT_THAT(Refusal(other), AllOf(HasSubstr("this is a JSON file that is neither XGBoost's (it has no "
                                                "\"learner\") nor a dump of glasscase_dump. What can"),
                                      Not(HasSubstr("is missing"))));
  EXPECT_THAT(Refusal(With(SklearnDump(), "sklearn", "skleran")),
              HasSubstr("(its \"format\" is \"glasscase skleran dump\"; a dump's is"));
}

}  // namespace
}  // namespace glasscase::translation
