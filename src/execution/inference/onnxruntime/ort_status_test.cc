#include "ort_status.h"

#include <gtest/gtest.h>

namespace glasscase::inference {
namespace {

TEST(CleanMessageTest, NamesTheNodeAndDropsTheSource) {
  EXPECT_EQ(
      CleanMessage("Non-zero status code returned while running Reshape node. Name:'r 1' Status Message: "
                   "/onnxruntime_src/onnxruntime/core/providers/cpu/tensor/reshape_helper.h:47 "
                   "onnxruntime::ReshapeHelper::ReshapeHelper(const onnxruntime::TensorShape&, bool) "
                   "input_shape_size == size was false. The input tensor cannot be reshaped.\n"),
      "node 'r 1' (Reshape): The input tensor cannot be reshaped.");
}

TEST(CleanMessageTest, IsOneShortLineWhateverComes) {
  EXPECT_EQ(CleanMessage(""), "");
  EXPECT_EQ(CleanMessage("a\nb \"c\""), "a b 'c'");
  EXPECT_LE(CleanMessage(std::string(5000, 'x')).size(), 310U);
  EXPECT_FALSE(CleanMessage("while running X node. Name:'").empty());
}

}  // namespace
}  // namespace glasscase::inference
