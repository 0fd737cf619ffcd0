#include <glasscase/translation/evidence.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <glasscase/json/canonical.h>
#include <glasscase/translation/read.h>

#include "evidence_inputs.h"
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
  EXPECT_THAT(WhyNot(evidence), HasSubstr("beyond the bound; the largest difference is 1"));
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
  const Evidence tie = CompareWith(
      With(With(SklearnDump(), "0.75,0.25", "0.5,0.50000000001"), "0,1]", "0.5,0.50000000001]"), swap);
  EXPECT_TRUE(tie.holds);
  EXPECT_GT(tie.top_class_ties, 0U);
}

// Both compute the same two numbers, and the library has a rule for them.
TEST(EvidenceTest, AnExactTieHasOneLabel) {
  const auto swap = [](std::span<const float> inputs, Answers& answers) {
    for (size_t row = 0; row < inputs.size(); ++row) {
      if (answers.outputs[2 * row] == answers.outputs[2 * row + 1]) answers.classes[row] ^= 1U;
    }
  };
  const std::string even = With(With(SklearnDump(), "0.75,0.25", "0.5,0.5"), "0,1]", "0.5,0.5]");
  for (const std::string& text : {even, Boosting(false), Boosting(true)}) {
    const Evidence evidence = CompareWith(text, swap);
    EXPECT_FALSE(evidence.holds) << text;
    EXPECT_EQ(evidence.top_class_ties, 0U);
  }
}

// A bound that grew with the size of the sums' parts would let all of these through.
TEST(EvidenceTest, ALinearModelOfUnscaledDataIsHeldToTheDigitsOfItsOutput) {
  const EvidenceOptions now{.data = {{.name = "visits", .ranges = {{.low = 1.69e9F, .high = 1.71e9F}}}}};
  EXPECT_TRUE(CompareWith(
                  LogisticOfTime(), [](auto, Answers&) {}, now)
                  .holds);
  const Evidence off = CompareWith(
      LogisticOfTime(),
      [](auto, Answers& answers) {
        for (double& p : answers.outputs) p += p < 0.5 ? 1e-6 : -1e-6;
      },
      now);
  EXPECT_FALSE(off.holds);
  EXPECT_GT(off.rows_beyond, 2'000U);
  const Evidence flipped = CompareWith(
      LogisticOfTime(),
      [](auto, Answers& answers) {
        for (uint32_t& label : answers.classes) label ^= 1U;
      },
      now);
  EXPECT_FALSE(flipped.holds);
  EXPECT_LT(flipped.top_class_ties, 200U);  // rows that are NaN have no right label
}

TEST(EvidenceTest, EachTargetIsHeldToTheSizeOfItsOwnSums) {
  const std::string text =
      With(With(With(SklearnDump(), R"("classifier","classes":["no","yes"])", R"("regressor")"), "0.75,0.25",
                "1e9,1"),
           "0,1]", "2e9,2]");
  EXPECT_TRUE(CompareWith(text, [](auto, Answers&) {}).holds);
  const auto add = [](size_t target) {
    return [target](auto, Answers& answers) {
      for (size_t i = target; i < answers.outputs.size(); i += 2) answers.outputs[i] += 1e-3;
    };
  };
  EXPECT_TRUE(CompareWith(text, add(0)).holds);
  EXPECT_FALSE(CompareWith(text, add(1)).holds);
}

TEST(EvidenceTest, AProbabilityIsNeverAllowedToBeFarOff) {
  const std::string large =
      With(With(XgboostJson(), "reg:squarederror", "binary:logistic"), "3E0,1E0,2E0]", "3E6,1E6,2E6]");
  EXPECT_TRUE(CompareWith(large, [](auto, Answers&) {}).holds);
  EXPECT_FALSE(CompareWith(large, [](auto, Answers& answers) { answers.outputs[1] -= 2e-3; }).holds);
  EXPECT_THAT(*ToJson(CompareWith(large, [](auto, Answers&) {}), {}),
              HasSubstr(R"("bound":{"absolute":0.000001,"at_most":0.001,"ulps":4})"));
}

// Probabilities of sums beyond 17 are all 1 in float32.
TEST(EvidenceTest, LabelsComeFromTheSumsWhereProbabilitiesAreAllOne) {
  const auto model = Read(AsBytes(OneAgainstRest()));
  ASSERT_TRUE(model) << model.error().message();
  Answers answers;
  ASSERT_TRUE(MakeSourceEvaluator(*model)->Run(std::vector<float>{0, 0}, answers));
  EXPECT_EQ(answers.classes.front(), 1U);
  const auto first_of_equal = [](auto, Answers& changed) {
    for (size_t row = 0; row < changed.classes.size(); ++row) {
      const auto outputs = std::span(changed.outputs).subspan(3 * row, 3);
      for (double& p : outputs) p = static_cast<double>(static_cast<float>(p));
      changed.classes[row] = static_cast<uint32_t>(std::ranges::max_element(outputs) - outputs.begin());
    }
  };
  EXPECT_FALSE(CompareWith(OneAgainstRest(), first_of_equal).holds);
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
  const auto infinities = [](double up) {
    return [up](auto, Answers& answers) {
      for (double& output : answers.outputs) {
        if (output > 3.5e38) output = up;
      }
    };
  };
  const std::string steep = With(Linear(), "[7,9]", "[1e300,1e300]");
  EXPECT_EQ(CompareWith(steep, infinities(INFINITY)).rows_beyond, 0U);
  const Evidence other = CompareWith(steep, infinities(-INFINITY));
  EXPECT_GT(other.rows_beyond, 500U);
  EXPECT_EQ(other.absolute_max, INFINITY);
}

// As where only missing values part from others.
TEST(EvidenceTest, ThresholdsAtInfinityDrawFiniteInputs) {
  for (const char* threshold : {"1e999", "-1e999"}) {
    size_t finite = 0;
    const auto count = [&](std::span<const float> inputs, Answers&) {
      for (const float x : inputs)
        finite += std::isfinite(x) && std::abs(x) > 9e29F && std::abs(x) < 1.3e30F ? 1 : 0;
    };
    EXPECT_TRUE(
        CompareWith(With(SklearnDump(), "[0.1,0,0]", "[" + std::string(threshold) + ",0,0]"), count).holds);
    EXPECT_GT(finite, 800U) << threshold;
  }
}

// Of a million features, each with as many thresholds: what the rows would hold is bounded.
TEST(EvidenceTest, ThresholdsOfVeryManyFeaturesAreTriedInPart) {
  TreeEnsemble ensemble;
  constexpr uint32_t kLast = 900;
  for (uint32_t i = 0; i < kLast; ++i) {  // a chain of splits of the first feature
    Node split;
    split.feature = 0;
    split.threshold = static_cast<float>(i);
    split.left = 2 * i + 1;
    split.right = 2 * i + 2;
    ensemble.nodes.push_back(split);
    ensemble.nodes.emplace_back();
  }
  ensemble.nodes.emplace_back();
  ensemble.trees.push_back({});
  ensemble.leaf_values = {0};
  Model model{.source = "a test", .features = kFeaturesMax, .body = std::move(ensemble), .head = {}};
  ASSERT_TRUE(Check(model));
  const EvidenceInputs inputs(model, {});
  EXPECT_EQ(inputs.thresholds(), kLast);
  EXPECT_EQ(inputs.kinds().front().rows, (uint64_t{1} << 28) / kFeaturesMax);
  EXPECT_EQ(inputs.thresholds_tried(), inputs.kinds().front().rows / 3);
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

// Answers nothing, for a reason of its own.
class Failing final : public Evaluator {
 public:
  explicit Failing(Error why) : why_(std::move(why)) {}
  Status Run(std::span<const float>, Answers&) override { return Fail(why_); }
  std::string name() const override { return "failing"; }

 private:
  const Error why_;
};

TEST(EvidenceTest, ASecondEvaluatorThatFailsDoesNotAgree) {
  const auto model = Read(AsBytes(XgboostJson()));
  const auto source = MakeSourceEvaluator(*model);
  Faulty result(*model, [](auto, Answers&) {});
  Failing broken(Error::InvalidArgument("a weight of no leaf"));
  const Evidence failed = *Compare(*model, *source, result, &broken, {});
  EXPECT_FALSE(failed.holds);
  EXPECT_THAT(WhyNot(failed),
              HasSubstr("the second evaluator failed, so nothing confirms the result: a weight of no leaf"));
  EXPECT_THAT(*ToJson(failed, {}), HasSubstr(R"("second":{"failed":"a weight of no leaf","rows":0})"));
  Failing unknowing(Error(Code::kUnimplemented, "the operator Erf"));
  const Evidence unknown = *Compare(*model, *source, result, &unknowing, {});
  EXPECT_TRUE(unknown.holds);
  EXPECT_THAT(*ToJson(unknown, {}), HasSubstr(R"("second":{"not_run":"the operator Erf","rows":0})"));
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

TEST(EvidenceTest, NotesOfTheModelAreKept) {
  const Evidence evidence = CompareWith(XgboostJson(), [](auto, Answers&) {});
  Subject subject{.source = "XGBoost 3.2.0", .source_sha256 = "aa", .result_sha256 = "bb"};
  EXPECT_THAT(*ToJson(evidence, subject), HasSubstr(R"("source":{"model":"XGBoost 3.2.0","sha256":"aa"})"));
  subject.notes = {"one", "two"};
  EXPECT_THAT(*ToJson(evidence, subject),
              HasSubstr(R"("source":{"model":"XGBoost 3.2.0","notes":["one","two"],"sha256":"aa"})"));
}

}  // namespace
}  // namespace glasscase::translation
