#include "inspection.h"

#include <sys/mman.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include <glasscase/crypto/sha256.h>
#include <glasscase/inference/testing/onnx_writer.h>
#include <glasscase/inference_onnxruntime/engine.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace glasscase::inspector {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class InspectionTest : public ::testing::Test {
 protected:
  void Add(std::string path, std::string_view bytes, bool is_graph) {
    rpc::ModelFile& file = *job_.add_files();
    file.set_path(std::move(path));
    file.set_bytes(bytes.size());
    file.set_sha256(std::string(AsText(Sha256(AsBytes(bytes)))));
    file.set_is_graph(is_graph);
    fds_.emplace_back(::memfd_create("file", MFD_CLOEXEC));
    ASSERT_EQ(::write(fds_.back().get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }
  rpc::InspectReport Inspect(const std::string& graph, uint64_t bytes_max = uint64_t{1} << 30) {
    Add("model.onnx", graph, true);
    const auto engine = std::move(*inference::MakeOnnxRuntimeEngine({.threads = 1}));
    return InspectFiles(job_, fds_, *engine, bytes_max);
  }

  rpc::InspectJob job_;
  std::vector<Fd> fds_;
};

TEST_F(InspectionTest, AGoodModelIsDescribed) {
  const rpc::InspectReport report = Inspect(inference::testing::MlpModel({64, 96, 48, 10}));
  ASSERT_EQ(report.code(), 0U) << report.message();
  ASSERT_EQ(report.inputs_size(), 1);
  EXPECT_EQ(report.inputs(0).name(), "x");
  ASSERT_EQ(report.outputs_size(), 1);
  EXPECT_EQ(report.outputs(0).name(), "y");
  EXPECT_TRUE(report.rows_independent()) << report.rows_reason();
  EXPECT_EQ(report.parameters(), 64 * 96 + 96 + 96 * 48 + 48 + 48 * 10 + 10);
  EXPECT_THAT(report.runtime_version(), HasSubstr("ONNX Runtime"));
}

TEST_F(InspectionTest, ExternalDataAreReadWithIt) {
  using namespace inference::testing;
  const float weights[2] = {2, 3};
  Add("weights/w.bin", {reinterpret_cast<const char*>(weights), sizeof weights}, false);
  const rpc::InspectReport report =
      Inspect(Model(Graph({Node("scale", "Mul", {"x", "w"}, {"y"})},
                          {ExternalInitializer("w", kFloat, {2}, "weights/w.bin", 0, 8)},
                          {ValueInfo("x", kFloat, {-1, 2})}, {ValueInfo("y", kFloat, {-1, 2})})));
  EXPECT_EQ(report.code(), 0U) << report.message();
}

TEST_F(InspectionTest, WhatOnlyTheEngineNoticesIsRefusedInOneLine) {
  using namespace inference::testing;
  // Each dimension is plausible alone; together they cannot be multiplied.
  const rpc::InspectReport report =
      Inspect(Model(Graph({Node("product", "MatMul", {"x", "w"}, {"y"})},
                          {Initializer<float>("w", kFloat, {3, 2}, {1, 2, 3, 4, 5, 6})},
                          {ValueInfo("x", kFloat, {-1, 4})}, {ValueInfo("y", kFloat, {-1, 2})})));
  EXPECT_EQ(report.code(), static_cast<uint32_t>(Code::kInvalidArgument));
  EXPECT_THAT(report.message(), HasSubstr("product"));
  EXPECT_THAT(report.message(), Not(HasSubstr("\n")));
}

TEST_F(InspectionTest, GarbageIsInvalidArgument) {
  EXPECT_EQ(Inspect(std::string(500, '\xFE')).code(), static_cast<uint32_t>(Code::kInvalidArgument));
}

TEST_F(InspectionTest, FilesBeyondTheLimitAreRefused) {
  EXPECT_EQ(Inspect(inference::testing::MlpModel({64, 96, 10}), 100).code(),
            static_cast<uint32_t>(Code::kResourceExhausted));
}

}  // namespace
}  // namespace glasscase::inspector
