#include <glasscase/onnx/write.h>

#include <gtest/gtest.h>

#include <glasscase/onnx/inspect.h>

#include "schema.h"

namespace glasscase::onnx {
namespace {

std::string WriteScaled() {
  ModelWriter writer("scaled", "a test");
  writer.AddInput({.name = "x", .datatype = DataType::kFp32, .shape = {-1, 2}});
  writer.AddConstant("two", {1}, std::vector<float>{2});
  writer.AddConstant("names", {2}, std::vector<std::string>{"a", "b"});
  writer.AddNode({.type = "Mul", .inputs = {"x", "two"}, .outputs = {"y"}});
  writer.AddNode({.type = "ArgMax",
                  .inputs = {"y"},
                  .outputs = {"top"},
                  .attributes = {{"axis", int64_t{1}}, {"keepdims", int64_t{0}}}});
  writer.AddNode({.type = "Gather", .inputs = {"names", "top"}, .outputs = {"label"}});
  writer.AddOutput({.name = "label", .datatype = DataType::kBytes, .shape = {-1}});
  writer.AddOutput({.name = "y", .datatype = DataType::kFp32, .shape = {-1, 2}});
  return *writer.Finish();
}

TEST(WriteTest, WhatWasWrittenIsAcceptedAndItsRowsStayApart) {
  const std::string file = WriteScaled();
  const auto description = Inspect(AsBytes(file), {}, {});
  ASSERT_TRUE(description) << description.error().message();
  EXPECT_EQ(description->rows_reason, "");
  ASSERT_EQ(description->outputs.size(), 2U);
  EXPECT_EQ(description->outputs[0].name, "label");
  EXPECT_EQ(description->outputs[1].shape, (std::vector<int64_t>{-1, 2}));
  EXPECT_EQ(description->ir_version, kWrittenIrVersion);
  EXPECT_EQ(description->producer, "glasscase a test");
}

// As protobuf itself writes them.
TEST(WriteTest, FieldsAreInTheOrderOfTheirNumbers) {
  ModelWriter writer("g", "t");
  const std::vector<std::string_view> words = {"LEAF", "BRANCH_LT"};
  writer.AddInput({.name = "x", .datatype = DataType::kFp32, .shape = {-1, 2}});
  writer.AddNode({.type = "TreeEnsembleRegressor",
                  .inputs = {"x"},
                  .outputs = {"y"},
                  .attributes = {{"nodes_modes", words},
                                 {"nodes_values", std::vector<float>{1, 2}},
                                 {"nodes_nodeids", std::vector<int64_t>{0, 300}},
                                 {"aggregate_function", std::string("SUM")},
                                 {"target_weights_as_tensor", std::vector<double>{0.5}}},
                  .domain = kAiOnnxMl});
  writer.AddConstant("two", {1}, std::vector<float>{2});
  writer.AddOutput({.name = "y", .datatype = DataType::kFp32, .shape = {-1, 1}});
  const std::string file = *writer.Finish();
  ModelProto read;
  ASSERT_TRUE(read.ParseFromString(file));
  EXPECT_EQ(read.graph().node(0).attribute(0).strings(1), "BRANCH_LT");
  EXPECT_EQ(read.graph().node(0).attribute(0).type(), AttributeProto::STRINGS);
  EXPECT_EQ(read.opset_import_size(), 2);
  EXPECT_EQ(read.SerializeAsString(), file);
}

TEST(WriteTest, TheSameCallsGiveTheSameBytes) { EXPECT_EQ(WriteScaled(), WriteScaled()); }

}  // namespace
}  // namespace glasscase::onnx
