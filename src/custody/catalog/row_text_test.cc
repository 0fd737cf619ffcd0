#include <glasscase/catalog/row_text.h>

#include <gtest/gtest.h>

namespace glasscase::catalog {
namespace {

TEST(RowTextTest, DamagedDescriptionsAreRefused) {
  EXPECT_TRUE(TensorsFromText("FP32 [] a b\n"));
  for (const char* text : {"FP32 [] x", "FP33 [] x\n", "FP32 [1,] x\n", "FP32 [-2] x\n", "FP32 1 x\n",
                           "FP32\n", "FP32 [] x\\\n", "FP32 [1;2] x\n"})
    EXPECT_FALSE(TensorsFromText(text)) << text;
}

}  // namespace
}  // namespace glasscase::catalog
