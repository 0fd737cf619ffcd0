#include <glasscase/training/results.h>

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include <glasscase/core/ids.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace glasscase::training {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class ResultsTest : public ::testing::Test {
 protected:
  ResultsTest() { fs::create_directories(folder_); }
  ~ResultsTest() override { fs::remove_all(folder_); }

  void Write(const std::string& path, const std::string& text = "x") {
    fs::create_directories((folder_ / path).parent_path());
    std::ofstream(folder_ / path) << text;
  }
  Result<Results> Read() const {
    const Fd folder(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY));
    return ReadResults(folder.get());
  }
  std::string Refusal() const {
    const auto results = Read();
    EXPECT_FALSE(results);
    return results ? "" : results.error().message();
  }
  const fs::path folder_ = fs::temp_directory_path() / ("gc-results-" + Uuid::Random().ToString());
};

TEST_F(ResultsTest, AFileAndItsMetrics) {
  Write("model.joblib", "weights");
  Write("metrics.json", R"({"accuracy": 0.97, "epochs": 3})");
  Write("notes.txt");
  const Results results = Read().value();
  ASSERT_EQ(results.model.size(), 1u);
  EXPECT_EQ(results.model[0].path, "model.joblib");
  EXPECT_EQ(results.model[0].bytes, 7u);
  EXPECT_EQ(results.metrics.at("accuracy"), 0.97);
  EXPECT_EQ(results.metrics.at("epochs"), 3);
}

TEST_F(ResultsTest, AFolderKeepsItsPaths) {
  Write("model/graph.onnx");
  Write("model/weights/part-1");
  const Results results = Read().value();
  ASSERT_EQ(results.model.size(), 2u);
  EXPECT_EQ(results.model[0].path, "graph.onnx");
  EXPECT_EQ(results.model[1].path, "weights/part-1");
}

TEST_F(ResultsTest, NoModelSaysWhatIsThere) {
  EXPECT_THAT(Refusal(), HasSubstr("/out has nothing"));
  Write("modell.bin");
  EXPECT_THAT(Refusal(), HasSubstr("/out has modell.bin"));
  fs::create_directory(folder_ / "model");
  EXPECT_THAT(Refusal(), HasSubstr("empty"));
}

TEST_F(ResultsTest, TenModelsAreTooMany) {
  for (int i = 0; i < 10; ++i) Write("model." + std::to_string(i));
  EXPECT_THAT(Refusal(), HasSubstr("10 models"));
}

TEST_F(ResultsTest, NothingButFilesAndFoldersIsTaken) {
  fs::create_symlink("/etc/passwd", folder_ / "model.bin");
  EXPECT_THAT(Refusal(), HasSubstr("is a link"));
  fs::remove(folder_ / "model.bin");
  ASSERT_EQ(::mkfifo((folder_ / "model.bin").c_str(), 0600), 0);
  EXPECT_THAT(Refusal(), HasSubstr("no file and no folder")) << "and it does not wait for a writer";
  fs::remove(folder_ / "model.bin");
  Write("model/x");
  fs::create_directory_symlink("/etc", folder_ / "model" / "etc");
  EXPECT_THAT(Refusal(), HasSubstr("etc is a link"));
}

TEST_F(ResultsTest, TooManyFilesAndTooDeepFoldersAreRefused) {
  for (int i = 0; i < 129; ++i) Write("model/" + std::to_string(i));
  EXPECT_THAT(Refusal(), HasSubstr("128"));
  fs::remove_all(folder_ / "model");
  std::string deep = "model";
  for (int i = 0; i < 20; ++i) deep += "/d";
  Write(deep + "/x");
  EXPECT_THAT(Refusal(), HasSubstr("deep"));
}

TEST_F(ResultsTest, MetricsAreNumbers) {
  Write("model.bin");
  for (const char* bad : {"{", "[]", R"({"a": "b"})", R"({"a": {"b": 1}})", R"({"a": 1, "a": 2})"}) {
    Write("metrics.json", bad);
    EXPECT_THAT(Refusal(), HasSubstr("metrics.json")) << bad;
  }
  fs::remove(folder_ / "metrics.json");
  fs::create_symlink("/proc/self/environ", folder_ / "metrics.json");
  EXPECT_THAT(Refusal(), HasSubstr("link"));
}

}  // namespace
}  // namespace glasscase::training
