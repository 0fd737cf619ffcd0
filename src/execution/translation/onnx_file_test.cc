#include <glasscase/translation/onnx_file.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <glasscase/onnx/inspect.h>
#include <glasscase/translation/read.h>

#include "small_models_test.h"

namespace glasscase::translation {
namespace {

onnx::Description Written(const std::string& text) {
  const auto model = Read(AsBytes(text));
  EXPECT_TRUE(model) << model.error().message();
  const auto file = WriteOnnx(*model);
  EXPECT_TRUE(file);
  const auto description = onnx::Inspect(AsBytes(*file), {}, {});
  EXPECT_TRUE(description) << description.error().message();
  return description ? *description : onnx::Description{};
}

TEST(OnnxFileTest, ARegressorHasOneInputAndOneOutput) {
  const onnx::Description written = Written(XgboostJson());
  EXPECT_EQ(written.inputs, (std::vector<TensorSpec>{{"x", DataType::kFp32, {-1, 2}}}));
  EXPECT_EQ(written.outputs, (std::vector<TensorSpec>{{"value", DataType::kFp32, {-1, 1}}}));
  EXPECT_EQ(written.producer, "glasscase XGBoost 3.2.0");
  EXPECT_EQ(written.opsets, (std::vector<std::pair<std::string, int64_t>>{{"", 17}, {"ai.onnx.ml", 3}}));
}

TEST(OnnxFileTest, AClassifierHasLabelThenProbabilities) {
  const onnx::Description numbers = Written(With(XgboostJson(), "reg:squarederror", "binary:logistic"));
  EXPECT_EQ(numbers.outputs, (std::vector<TensorSpec>{{"label", DataType::kInt64, {-1}},
                                                      {"probabilities", DataType::kFp32, {-1, 2}}}));
  const onnx::Description texts = Written(SklearnDump());
  EXPECT_EQ(texts.outputs, (std::vector<TensorSpec>{{"label", DataType::kBytes, {-1}},
                                                    {"probabilities", DataType::kFp32, {-1, 2}}}));
}

TEST(OnnxFileTest, RowsStayApartInAllOfThem) {
  const std::string linear =
      R"({"format":"glasscase sklearn dump","version":1,"scikit_learn":"1","estimator":"LogisticRegression","features":2,)"
      R"("task":"classifier","classes":[7,3,9],"transform":"softmax","kind":"linear","mean":[1,2],"scale":[2,1],)"
      R"("coefficients":[3,4,5,6,7,8],"intercepts":[5,1,2]})";
  for (const std::string& text : {XgboostJson(), With(XgboostJson(), "reg:squarederror", "count:poisson"),
                                  Lightgbm(), With(Lightgbm(), "decision_type=0 8", "decision_type=4 8"),
                                  With(Lightgbm(), "regression", "regression sqrt"), SklearnDump(), linear,
                                  LogisticOfTime(), Boosting(false), Boosting(true), OneAgainstRest()}) {
    EXPECT_EQ(Written(text).rows_reason, "") << text;
  }
}

TEST(OnnxFileTest, TheSameModelGivesTheSameBytes) {
  const auto first = Read(AsBytes(Lightgbm()));
  const auto second = Read(AsBytes(Lightgbm()));
  ASSERT_TRUE(first && second);
  EXPECT_EQ(*WriteOnnx(*first), *WriteOnnx(*second));
}

}  // namespace
}  // namespace glasscase::translation
