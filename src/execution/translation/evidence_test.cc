#include <glasscase/translation/evidence.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <glasscase/json/canonical.h>
#include <glasscase/translation/read.h>

#include "small_models_test.h"

namespace glasscase::translation {
namespace {

using ::testing::HasSubstr;

// The source's evaluator, with a fault of the test's choice.
class Faulty final : public Evaluator {
 public:
  using Fault = std::function<void(std::span<const float> inputs, Answers& answers)>;
  Faulty(const Model& model, Fault fault) : right_(MakeSourceEvaluator(model)), fault_(std::move(fault)) {}

  Status Run(std::span<const float> inputs, Answers& answers) override {
    GC_TRY_VOID(right_->Run(inputs, answers));
    fault_(inputs, answers);
    return Ok();
  }
  std::string name() const override { return "faulty"; }

 private:
  std::unique_ptr<Evaluator> right_;
  Fault fault_;
};

Evidence CompareWith(const std::string& text, const Faulty::Fault& fault,
                     const EvidenceOptions& options = {}) {
  const auto model = Read(AsBytes(text));
  EXPECT_TRUE(model) << model.error().message();
  const auto source = MakeSourceEvaluator(*model);
  Faulty result(*model, fault);
  const auto evidence = Compare(*model, *source, result, nullptr, options);
  EXPECT_TRUE(evidence);
  return *evidence;
}

TEST(EvidenceTest, TheSameNumbersHold) {
  const Evidence evidence = CompareWith(XgboostJson(), [](auto, Answers&) {});
  EXPECT_TRUE(evidence.holds);
  EXPECT_EQ(evidence.absolute_max, 0);
  EXPECT_EQ(evidence.thresholds, 2U);
  EXPECT_EQ(evidence.thresholds_tried, 2U);
  EXPECT_GT(evidence.rows, 2'000U);
}

// What a threshold that was rounded wrongly gives: one float32 takes the other branch.
TEST(EvidenceTest, OneInputOnTheOtherBranchIsFound) {
  const Evidence evidence = CompareWith(XgboostJson(), [](std::span<const float> inputs, Answers& answers) {
    for (size_t row = 0; row < answers.outputs.size(); ++row) {
      if (inputs[2 * row] == 0.5F) answers.outputs[row] -= 1;
    }
  });
  EXPECT_FALSE(evidence.holds);
  EXPECT_EQ(evidence.worst.input[0], 0.5F);
  EXPECT_EQ(evidence.absolute_max, 1);
  EXPECT_THAT(WhyNot(evidence), HasSubstr("beyond the bound"));
}

TEST(EvidenceTest, MissingValuesAreTried) {
  const Evidence evidence = CompareWith(XgboostJson(), [](std::span<const float> inputs, Answers& answers) {
    for (size_t row = 0; row < answers.outputs.size(); ++row) {
      if (std::isnan(inputs[2 * row + 1])) answers.outputs[row] += 1;
    }
  });
  EXPECT_FALSE(evidence.holds);
  EXPECT_EQ(evidence.worst.kind, "missing");
}

TEST(EvidenceTest, AnotherLabelIsRefusedUnlessItIsATie) {
  const auto swap = [](auto, Answers& answers) { answers.classes[0] = 1 - answers.classes[0]; };
  const Evidence other = CompareWith(SklearnDump(), swap);
  EXPECT_FALSE(other.holds);
  EXPECT_EQ(other.rows_beyond, 0U);
  EXPECT_THAT(WhyNot(other), HasSubstr("another label"));
  const Evidence tie =
      CompareWith(With(With(SklearnDump(), "0.75,0.25", "0.5,0.5"), "0,1]", "0.5,0.5]"), swap);
  EXPECT_TRUE(tie.holds);
  EXPECT_GT(tie.top_class_ties, 0U);
}

TEST(EvidenceTest, ANanInTheResultIsRefused) {
  EXPECT_FALSE(CompareWith(XgboostJson(), [](auto, Answers& answers) { answers.outputs[0] = NAN; }).holds);
}

TEST(EvidenceTest, InputsAreDrawnFromTheRangeOfTheData) {
  std::vector<float> lowest(2, INFINITY), highest(2, -INFINITY);
  const auto look = [&](std::span<const float> inputs, Answers&) {
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (std::isnan(inputs[i]) || std::abs(inputs[i]) < 9e4F || std::abs(inputs[i]) > 9e5F)
        continue;  // hard ones
      lowest[i % 2] = std::min(lowest[i % 2], inputs[i]);
      highest[i % 2] = std::max(highest[i % 2], inputs[i]);
    }
  };
  const EvidenceData data{.name = "rain",
                          .ranges = {{.low = 1e5F, .high = 2e5F}, {.low = -3e5F, .high = -1e5F}}};
  const Evidence evidence = CompareWith(Linear(), look, {.data = {data}});
  EXPECT_EQ(evidence.ranges.dataset, 2U);
  EXPECT_LT(lowest[0], 1.01e5F);
  EXPECT_GT(highest[0], 1.99e5F);
  EXPECT_LT(lowest[1], -2.98e5F);
  EXPECT_LE(highest[1], -1e5F);
}

TEST(EvidenceTest, WhereARangeCameFromIsSaid) {
  const Evidence without = CompareWith(Linear(), [](auto, Answers&) {});
  EXPECT_EQ(without.ranges.guessed, 2U);
  const Evidence half = CompareWith(Linear(), [](auto, Answers&) {},
                                    {.data = {{.name = "rain", .ranges = {{.low = 1, .high = 2}, {}}},
                                              {.name = "snow", .why_not = "it is empty"}}});
  EXPECT_EQ(half.ranges.dataset, 1U);
  EXPECT_EQ(half.ranges.guessed, 1U);
  EXPECT_EQ(CompareWith(XgboostJson(), [](auto, Answers&) {}).ranges.thresholds, 2U);
  const Evidence wider = CompareWith(
      With(XgboostJson(), R"("num_feature":"2","num_target")", R"("num_feature":"3","num_target")"),
      [](auto, Answers&) {});
  EXPECT_EQ(wider.ranges.unused, 1U);
  EXPECT_THAT(*ToJson(half, {}),
              HasSubstr(R"("datasets":[{"name":"rain"},{"name":"snow","unread":"it is empty"}])"));
  EXPECT_THAT(*ToJson(half, {}), HasSubstr(R"("ranges":{"dataset":1,"guessed":1})"));
}

// Its numbers agree, and say nothing.
TEST(EvidenceTest, AModelThatGivesNoFiniteNumbersDoesNotHold) {
  const Evidence evidence = CompareWith(With(Linear(), "[7,9]", "[1e300,1e300]"), [](auto, Answers&) {});
  EXPECT_FALSE(evidence.holds);
  EXPECT_EQ(evidence.random_finite, 0U);
  EXPECT_THAT(WhyNot(evidence), HasSubstr("finite numbers for 0 of 2000 random inputs"));
}

// Both overflow, to other ends.
TEST(EvidenceTest, AnInfinityIsAnsweredByTheSameOne) {
  const Evidence evidence = CompareWith(Linear(), [](std::span<const float> inputs, Answers& answers) {
    for (size_t row = 0; row < answers.outputs.size(); ++row) {
      if (inputs[2 * row] > 1e38F && inputs[2 * row + 1] > 1e38F) answers.outputs[row] *= -1;
    }
  });
  EXPECT_FALSE(evidence.holds);
  EXPECT_EQ(evidence.worst.kind, "large");
}

Evidence CompareWithSecond(Faulty::Fault fault) {
  const auto model = Read(AsBytes(XgboostJson()));
  const auto source = MakeSourceEvaluator(*model);
  Faulty result(*model, [](auto, Answers&) {});
  Faulty second(*model, std::move(fault));
  return *Compare(*model, *source, result, &second, {});
}

TEST(EvidenceTest, ASecondEvaluatorHasToAgree) {
  const Evidence same = CompareWithSecond([](auto, Answers&) {});
  EXPECT_TRUE(same.holds);
  EXPECT_EQ(same.second.evaluator, "faulty");
  EXPECT_GE(same.second.rows, 5 * kSecondRows);
  EXPECT_THAT(*ToJson(same, {}), HasSubstr(R"("second":{"absolute_max":0,"rows":)"));
  const Evidence other = CompareWithSecond([](auto, Answers& answers) { answers.outputs[0] += 1; });
  EXPECT_FALSE(other.holds);
  EXPECT_EQ(other.rows_beyond, 0U);
  EXPECT_THAT(WhyNot(other), HasSubstr("two evaluators do not agree"));
}

TEST(EvidenceTest, ThresholdsThatDoNotFitAreCounted) {
  const Evidence evidence = CompareWith(XgboostJson(), [](auto, Answers&) {}, {.threshold_rows_max = 2});
  EXPECT_EQ(evidence.thresholds, 2U);
  EXPECT_EQ(evidence.thresholds_tried, 0U);
}

TEST(EvidenceTest, TheArtefactIsCanonicalAndTheSameEachTime) {
  const auto add_nan = [](auto, Answers& answers) { answers.outputs[0] = NAN; };
  const Subject subject{.source = "XGBoost 3.2.0", .source_sha256 = "aa", .result_sha256 = "bb"};
  const auto first = ToJson(CompareWith(XgboostJson(), add_nan), subject);
  ASSERT_TRUE(first) << first.error().message();
  EXPECT_TRUE(json::CheckCanonical(*first));
  EXPECT_EQ(*first, *ToJson(CompareWith(XgboostJson(), add_nan), subject));
  EXPECT_THAT(*first, HasSubstr(R"("result":["NaN"])"));
}

}  // namespace
}  // namespace glasscase::translation
