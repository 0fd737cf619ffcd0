// Real files of tests/vectors/onnx/, made and run in batches by its make_vectors.py.
#include <glasscase/onnx/inspect.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace glasscase::onnx {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::filesystem::path kVectors = std::filesystem::path(GLASSCASE_SOURCE_DIR) / "tests/vectors/onnx";

Bytes Read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  return {text.begin(), text.end()};
}

std::vector<std::filesystem::path> FilesIn(const std::string& folder) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(kVectors / folder))
    paths.push_back(entry.path());
  EXPECT_FALSE(paths.empty());
  return paths;
}

TEST(VectorsTest, RowsOfExportedClassifiersAreProvedApart) {
  for (const auto& path : FilesIn("exported")) {
    if (path.stem().string().ends_with("_zipmap")) continue;
    const auto result = Inspect(Read(path), {}, {});
    ASSERT_TRUE(result) << path << ": " << result.error().message();
    EXPECT_EQ(result->rows_reason, "") << path;
    EXPECT_TRUE(result->rows_independent) << path;
    EXPECT_EQ(result->producer.substr(0, 8), "skl2onnx") << path;
  }
}

TEST(VectorsTest, ZipMapOutputsAreRefused) {
  for (const char* name : {"logistic_regression_zipmap.onnx", "mlp_zipmap.onnx"}) {
    const auto result = Inspect(Read(kVectors / "exported" / name), {}, {});
    ASSERT_FALSE(result);
    EXPECT_THAT(result.error().message(), HasSubstr("'zipmap': False"));
  }
}

TEST(VectorsTest, RowsThatStayApartInTheRuntimeAreProved) {
  for (const auto& path : FilesIn("rows/apart")) {
    const auto result = Inspect(Read(path), {}, {});
    ASSERT_TRUE(result) << path << ": " << result.error().message();
    EXPECT_EQ(result->rows_reason, "") << path;
  }
}

TEST(VectorsTest, RowsThatMeetInTheRuntimeAreNotProved) {
  for (const auto& path : FilesIn("rows/mixed")) {
    const auto result = Inspect(Read(path), {}, {});
    ASSERT_TRUE(result) << path << ": " << result.error().message();
    EXPECT_FALSE(result->rows_independent) << path;
    EXPECT_NE(result->rows_reason, "") << path;
  }
}

TEST(VectorsTest, TheDigitsClassifierIsDescribed) {
  const auto result = Inspect(Read(kVectors / "exported/mlp_digits.onnx"), {}, {});
  ASSERT_TRUE(result) << result.error().message();
  EXPECT_THAT(result->inputs, ElementsAre(TensorSpec{"X", DataType::kFp32, {-1, 64}}));
  EXPECT_THAT(result->outputs, ElementsAre(TensorSpec{"label", DataType::kInt64, {-1}},
                                           TensorSpec{"probabilities", DataType::kFp32, {-1, 10}}));
}

TEST(VectorsTest, WeightsBesideTheModelAreFound) {
  const Bytes weights = Read(kVectors / "external/weights.bin");
  const ExternalFile files[] = {{"weights.bin", weights}};
  const Bytes model = Read(kVectors / "external/model.onnx");
  const auto result = Inspect(model, files, {});
  ASSERT_TRUE(result) << result.error().message();
  EXPECT_THAT(result->external_paths, ElementsAre("weights.bin"));
  EXPECT_EQ(result->parameters, 15u);
  EXPECT_TRUE(result->rows_independent) << result->rows_reason;

  const auto without = Inspect(model, {}, {});
  ASSERT_FALSE(without);
  EXPECT_THAT(without.error().message(), HasSubstr("did not come with the model"));
}

}  // namespace
}  // namespace glasscase::onnx
