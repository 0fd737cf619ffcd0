#include <glasscase/translation/model.h>

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace glasscase::translation {
namespace {

using ::testing::HasSubstr;

// Root, two leaves.
Model Stump() {
  TreeEnsemble ensemble;
  ensemble.nodes = {{.threshold = 1, .feature = 0, .left = 1, .right = 2}, {.left = 0}, {.left = 1}};
  ensemble.trees = {{.first = 0}};
  ensemble.leaf_values = {1, 2};
  return {.source = "test", .features = 1, .body = ensemble, .head = {}};
}
TreeEnsemble& Trees(Model& model) { return std::get<TreeEnsemble>(model.body); }

std::string Refusal(const Model& model) {
  const Status status = Check(model);
  return status ? "accepted" : status.error().message();
}

TEST(ModelTest, ATreeIsAccepted) { EXPECT_EQ(Refusal(Stump()), "accepted"); }

TEST(ModelTest, ANodeBelowItselfIsRefused) {
  Model model = Stump();
  Trees(model).nodes[0].right = 0;
  EXPECT_THAT(Refusal(model), HasSubstr("node 0 has two parents or is below itself"));
}

TEST(ModelTest, ANodeWithTwoParentsIsRefused) {
  Model model = Stump();
  Trees(model).nodes[0].right = 1;
  EXPECT_THAT(Refusal(model), HasSubstr("node 1 has two parents"));
}

TEST(ModelTest, ANodeThatNothingLeadsToIsRefused) {
  Model model = Stump();
  Trees(model).nodes.push_back({.left = 1});
  EXPECT_THAT(Refusal(model), HasSubstr("tree 0, node 3: no path from the root"));
}

TEST(ModelTest, AChildOutsideTheTreeIsRefused) {
  Model model = Stump();
  Trees(model).nodes[0].left = 3;
  EXPECT_THAT(Refusal(model), HasSubstr("child 3, which does not exist"));
}

TEST(ModelTest, ANanThresholdIsRefused) {
  Model model = Stump();
  Trees(model).nodes[0].threshold = std::nanf("");
  EXPECT_THAT(Refusal(model), HasSubstr("the threshold is NaN"));
}

TEST(ModelTest, AFeatureBeyondTheInputIsRefused) {
  Model model = Stump();
  Trees(model).nodes[0].feature = 1;
  EXPECT_THAT(Refusal(model), HasSubstr("splits on feature 1; the model has 1"));
}

TEST(ModelTest, ALeafThatIsNotFiniteIsRefused) {
  Model model = Stump();
  Trees(model).leaf_values[1] = INFINITY;
  EXPECT_THAT(Refusal(model), HasSubstr("node 2: the leaf's value is not finite"));
}

// A chain of `splits` nodes with a leaf at each.
Model Chain(uint32_t splits) {
  Model model = Stump();
  TreeEnsemble& trees = Trees(model);
  trees.nodes.clear();
  for (uint32_t i = 0; i < splits; ++i)
    trees.nodes.push_back(
        {.threshold = 1, .feature = 0, .left = splits + i, .right = i + 1 < splits ? i + 1 : 2 * splits});
  trees.nodes.resize(2 * size_t{splits} + 1);
  return model;
}

TEST(ModelTest, ATreeThatIsTooDeepIsRefused) {
  EXPECT_EQ(Refusal(Chain(kDepthMax - 1)), "accepted");
  EXPECT_THAT(Refusal(Chain(kDepthMax)), HasSubstr("deeper than 1000 nodes"));
}

TEST(ModelTest, AMillionLeavesAreChecked) {
  Model model = Stump();
  TreeEnsemble& trees = Trees(model);
  constexpr uint32_t kSplits = (1 << 20) - 1;
  trees.nodes.clear();
  for (uint32_t i = 0; i < kSplits; ++i)
    trees.nodes.push_back({.threshold = 0, .feature = 0, .left = 2 * i + 1, .right = 2 * i + 2});
  trees.nodes.resize(2 * size_t{kSplits} + 1);
  EXPECT_EQ(Refusal(model), "accepted");
  trees.nodes.back().left = 2;
  EXPECT_THAT(Refusal(model), HasSubstr("the leaf has no value"));
}

TEST(ModelTest, LabelsMustFitTheOutputs) {
  Model model = Stump();
  model.head = {.task = Task::kClassifier, .transform = Transform::kLogistic, .integer_labels = {0, 1, 2}};
  EXPECT_THAT(Refusal(model), HasSubstr("3 classes for 1 outputs"));
}

TEST(ModelTest, TheLargestFloatNotAboveLetsTheSameFloatsThrough) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const double threshold :
       {0.1, -0.1, 0.5, 1e-46, -1e-46, 1e300, -1e300, 16777217.0, 1e-40, 3.4028235677973366e38}) {
    const float rounded = LargestNotAbove(threshold);
    EXPECT_LE(static_cast<double>(rounded), threshold);
    EXPECT_GT(static_cast<double>(std::nextafter(rounded, kInfinity)), threshold) << threshold;
  }
  EXPECT_EQ(LargestNotAbove(INFINITY), kInfinity);
  EXPECT_TRUE(std::isnan(LargestNotAbove(NAN)));
}

}  // namespace
}  // namespace glasscase::translation
