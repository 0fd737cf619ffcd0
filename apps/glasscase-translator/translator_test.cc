#include "translator.h"

#include <fstream>
#include <iterator>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <glasscase/inference_onnxruntime/engine.h>
#include <glasscase/onnx/inspect.h>

namespace glasscase::translator {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class TranslatorTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { engine_ = inference::MakeOnnxRuntimeEngine({.threads = 1})->release(); }
  static void TearDownTestSuite() { delete engine_; }

  static std::string Sample(const std::string& path) {
    std::ifstream file(GLASSCASE_SOURCE_DIR "/fuzz/corpus/" + path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static Result<Translation> TranslateText(const std::string& text) {
    return Translate(
        AsBytes(text), *engine_, [](uint32_t) { return std::vector<translation::EvidenceData>(); },
        [](std::string_view, uint64_t, uint64_t) {});
  }
  static inference::Engine* engine_;
};
inference::Engine* TranslatorTest::engine_ = nullptr;

TEST_F(TranslatorTest, EachKindOfFileIsTranslatedAndItsEvidenceHolds) {
  for (const char* path :
       {"xgboost_json/binary", "xgboost_json/dart", "xgboost_json/multi", "xgboost_json/poisson",
        "xgboost_ubj/binary", "lightgbm_text/binary", "lightgbm_text/multi", "lightgbm_text/ova",
        "lightgbm_text/rf", "lightgbm_text/saturated", "lightgbm_text/sqrt", "lightgbm_text/zero",
        "sklearn_dump/boosting", "sklearn_dump/forest", "sklearn_dump/histogram", "sklearn_dump/linear",
        "sklearn_dump/ridge", "sklearn_dump/zero_is_second"}) {
    const auto made = TranslateText(Sample(path));
    ASSERT_TRUE(made) << path << ": " << made.error().message();
    EXPECT_EQ(made->why_not, "") << path;
    EXPECT_THAT(made->evidence, HasSubstr(R"("holds":true)"));
    EXPECT_THAT(made->evidence, HasSubstr(R"("second":"glasscase, operator by operator")"));
    EXPECT_THAT(made->evidence, Not(HasSubstr("not_run"))) << path;
    EXPECT_THAT(made->summary, HasSubstr(R"("runtime":"ONNX Runtime )"));
    EXPECT_TRUE(onnx::Inspect(AsBytes(made->onnx), {}, {}));
  }
}

TEST_F(TranslatorTest, AFileAtFaultIsRefusedWithItsReason) {
  const auto categorical = TranslateText(Sample("xgboost_json/categorical"));
  ASSERT_FALSE(categorical);
  EXPECT_EQ(categorical.error().code(), Code::kInvalidArgument);
  EXPECT_THAT(categorical.error().message(), HasSubstr("categorical splits"));
}

}  // namespace
}  // namespace glasscase::translator
