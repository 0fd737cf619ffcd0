#include "evidence_text.h"

#include <boost/json/parse.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace glasscase::commands {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(EvidenceText, ATranslationIsToldInNumbers) {
  const std::string evidence = R"({"format":"glasscase translation evidence","holds":true,"rows_beyond":0,
      "inputs":{"rows":2695,"thresholds":9,"thresholds_tried":9},
      "difference":{"absolute_max":0.25,"relative_max":"Infinity","absolute_p999":0},
      "top_class":{"same":2690,"ties":5},"result":{"opset":17},"bound":{"absolute":1e-6,"ulps":4},
      "second":{"rows":96,"absolute_max":0.125},
      "evaluators":{"source":"ours","result":"ONNX Runtime 1.31.1","second":"another"}})";
  EXPECT_THAT(
      EvidenceLines(evidence),
      ElementsAre("holds: 2695 inputs, 0 beyond the bound", "bound 1e-06 + 4 ulp of the sums; opset 17",
                  "largest difference 0.25, relative Infinity; 99.9 % differ by at most 0",
                  "9 of 9 thresholds tried", "the same top class for 2690 of 2695 (5 ties)",
                  "source computed by ours, result by ONNX Runtime 1.31.1",
                  "result also by another on 96 inputs, largest difference 0.125"));
}

TEST(EvidenceText, WhatIsToBeKnownOfTheSourceIsTold) {
  EXPECT_THAT(
      EvidenceLines(R"({"format":"glasscase translation evidence","source":{"notes":["three rounds"]}})"),
      ::testing::Contains("note: three rounds"));
}

TEST(EvidenceText, WhereInputsWereDrawnFromIsTold) {
  const auto lines =
      EvidenceLines(R"({"format":"glasscase translation evidence","holds":true,"inputs":{"rows":1,
      "ranges":{"dataset":3,"guessed":1},"datasets":[{"name":"rain/a.csv"},{"name":"snow/b.csv","unread":"it is empty"}]}})");
  EXPECT_THAT(
      lines,
      ::testing::Contains(
          "random inputs drawn from the data (3 features), a guess of -10 to 10 (1 feature): rain/a.csv"));
  EXPECT_THAT(lines, ::testing::Contains("not drawn from snow/b.csv: it is empty"));
}

TEST(EvidenceText, AFileThatGaveNoRangeIsNotNamedAsTheirSource) {
  const auto lines =
      EvidenceLines(R"({"format":"glasscase translation evidence","holds":true,"inputs":{"rows":1,
      "ranges":{"inputs.json":64},"datasets":[{"name":"digits-data/digits.npz"}]}})");
  EXPECT_THAT(lines, ::testing::Contains("random inputs drawn from inputs.json (64 features)"));
  EXPECT_THAT(lines, ::testing::Contains("no range was needed of digits-data/digits.npz"));
}

// A network: sums of very large numbers differ by large ones, and to what is missing it has no answer.
TEST(EvidenceText, OrdinaryInputsComeFirst) {
  const auto lines = EvidenceLines(R"({"format":"glasscase translation evidence","holds":true,"rows_beyond":0,
      "inputs":{"rows":4692},"difference":{"absolute_max":17592186044416,"relative_max":0.0020835617940563656,
      "absolute_p999":4947802324992,"ordinary_max":3.8146972656e-6,"ordinary_p999":1.9e-6},
      "top_class":{"same":4192,"ties":0},"source_not_finite":{"rows":500,"same":500}})");
  EXPECT_THAT(lines,
              ::testing::Contains("largest difference 3.815e-06 on ordinary inputs; with very large ones "
                                  "1.759e+13, relative 0.002084; 99.9 % of the ordinary differ by at most "
                                  "1.9e-06"));
  EXPECT_THAT(lines,
              ::testing::Contains("the same top class for 4192 of 4192; 500 have no answer in either"));
}

TEST(EvidenceText, ARefusalShowsItsWorstInput) {
  const auto lines = EvidenceLines(R"({"format":"glasscase translation evidence","holds":false,
      "worst":{"kind":"thresholds","input":[1,"NaN",3,4,5,6,7,8,9],"source":[1],"result":[2]}})");
  EXPECT_EQ(lines.back(), "worst: thresholds [1, NaN, 3, 4, 5, 6, 7, 8, ... (9)] gives [1], translated [2]");
}

TEST(EvidenceText, WhatCannotBeReadIsSaidAndDrivesNoTerminal) {
  EXPECT_TRUE(EvidenceLines("").empty());
  EXPECT_THAT(EvidenceLines("{"), ElementsAre("(it cannot be read)"));
  EXPECT_THAT(EvidenceLines(R"({"class":"B"})"), ElementsAre("class B: the same bits, in canonical form"));
  EXPECT_THAT(EvidenceLines("{\"class\":\"\\u001b[2J\"}")[0], ::testing::Not(HasSubstr("\x1b")));
}

TEST(EvidenceText, WhyTheBitsDifferIsTold) {
  const auto last = [](const std::string& more) {
    return EvidenceLines(R"({"class":"N","v":2,)" + more + "}").back();
  };
  EXPECT_EQ(last(R"("cause":"pin","missing_pin":"threads = 1")"),
            "what is missing in the recipe: threads = 1");
  EXPECT_THAT(last(R"("cause":"program","missing_pin":"")"), HasSubstr("no pin of a recipe"));
  EXPECT_THAT(last(R"("cause":"change","machine_differs":[])"), HasSubstr("something else has changed"));
  EXPECT_EQ(last(R"("cause":"machine","machine_differs":["processor"],"candidate_pins":["threads = 1"])"),
            "this machine repeats itself, the first one was another (processor); the recipe leaves open "
            "threads = 1: which of them holds both to the same shows when it is executed with it on both");
  EXPECT_THAT(last(R"("cause":"machine","machine_differs":null,"candidate_pins":[])"),
              HasSubstr("leaves no pin open"));
}

TEST(EvidenceText, WhatWasSaidBeforeThereWereCausesIsStillRead) {
  EXPECT_EQ(EvidenceLines(R"({"class":"N","v":1,"missing_pin":"threads = 1","pins_tried":[]})").back(),
            "what is missing in the recipe: threads = 1");
  EXPECT_THAT(EvidenceLines(R"({"class":"N","v":1,"missing_pin":"","pins_tried":[]})").back(),
              HasSubstr("no pin of a recipe"));
}

TEST(EvidenceText, AVersionsEvidenceIsOneLine) {
  EXPECT_EQ(EvidenceSummary(boost::json::parse(
                R"({"kind":"translation","run":"R","inputs":10,"absolute_max":0,"top_class_same":10,
                    "top_class_ties":0,"source_evaluator":"a","result_evaluator":"b","in_sandbox":true,
                    "relative_max":0.5,"absolute_p999":0.25,"bound_absolute":1e-5,"bound_ulps":64,"opset":21,
                    "second_evaluator":"c"})")),
            "same as its source on 10 inputs, largest difference 0 (relative 0.5, 99.9 % within 0.25), "
            "bound 1e-05 + 64 ulp, opset 21, the same top class for 10 of 10; "
            "source by a, result by b, also by c, in the sandbox (run R)");
  EXPECT_EQ(
      EvidenceSummary(boost::json::parse(
          R"({"kind":"translation","run":"R","inputs":4692,"absolute_max":17592186044416,
                    "ordinary_max":3.8146972656e-6,"relative_max":0.0020835617940563656,"top_class_same":4192,
                    "top_class_ties":0,"source_evaluator":"a","result_evaluator":"b","opset":17})")),
      "same as its source on 4692 inputs, largest difference 3.815e-06 on ordinary inputs; with very large "
      "ones 1.759e+13, relative 0.002084, opset 17, the same top class for 4192 of 4192; 500 have no answer "
      "in either; source by a, result by b (run R)");
  EXPECT_EQ(EvidenceSummary(boost::json::parse(R"({"kind":"verification","run":"R","class":"T"})")),
            "run again, class T (run R)");
}

}  // namespace
}  // namespace glasscase::commands
