#include <glasscase/onnx/write.h>

#include <gtest/gtest.h>

#include <glasscase/onnx/inspect.h>

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

TEST(WriteTest, TheSameCallsGiveTheSameBytes) { EXPECT_EQ(WriteScaled(), WriteScaled()); }

}  // namespace
}  // namespace glasscase::onnx
