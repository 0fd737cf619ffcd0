#include <glasscase/tensor/tensor.h>

#include <gtest/gtest.h>

namespace glasscase {
namespace {

TEST(TensorTest, NamesRoundTripForEveryType) {
  for (uint8_t value = 1; IsDataType(value); ++value) {
    const auto type = static_cast<DataType>(value);
    EXPECT_EQ(DataTypeFromName(DataTypeName(type)), type);
  }
  EXPECT_FALSE(IsDataType(0));
  EXPECT_FALSE(IsDataType(200));
  EXPECT_FALSE(DataTypeFromName(""));
  EXPECT_FALSE(DataTypeFromName("fp32"));
}

TEST(TensorTest, ElementCountRefusesOverflowAndNegativeDimensions) {
  const int64_t huge[] = {int64_t{1} << 32, int64_t{1} << 32, 16};
  const int64_t negative[] = {2, -1};
  const int64_t zero_hides_huge[] = {int64_t{1} << 62, 0};
  EXPECT_FALSE(ElementCount(huge));
  EXPECT_FALSE(ElementCount(negative));
  EXPECT_FALSE(ElementCount(zero_hides_huge));
  const int64_t fine[] = {2, 3};
  EXPECT_EQ(*ElementCount(fine), 6u);
  EXPECT_EQ(*ElementCount({}), 1u);
}

TEST(TensorTest, ShapeFitsWhereTheSpecVaries) {
  const int64_t spec[] = {-1, 64};
  const int64_t good[] = {3, 64};
  const int64_t wrong[] = {3, 63};
  const int64_t rank[] = {64};
  EXPECT_TRUE(ShapeFits(spec, good));
  EXPECT_FALSE(ShapeFits(spec, wrong));
  EXPECT_FALSE(ShapeFits(spec, rank));
}

TEST(TensorTest, DataMustBeExactlyWhatTheShapeAnnounces) {
  const int64_t shape[] = {2};
  const uint8_t eight[8] = {};
  EXPECT_TRUE(CheckTensorData("x", DataType::kFp32, shape, eight));
  EXPECT_FALSE(CheckTensorData("x", DataType::kFp64, shape, eight));
  const uint8_t strings[] = {1, 0, 0, 0, 'a', 0, 0, 0, 0};
  EXPECT_TRUE(CheckTensorData("x", DataType::kBytes, shape, strings));
  EXPECT_FALSE(CheckTensorData("x", DataType::kBytes, shape, ByteSpan(strings).first(8)));
  const uint8_t lying[] = {255, 255, 255, 255, 'a', 0, 0, 0, 0};
  EXPECT_FALSE(CheckTensorData("x", DataType::kBytes, shape, lying));
  const uint8_t bools[] = {1, 2};
  EXPECT_FALSE(CheckTensorData("x", DataType::kBool, shape, bools));
}

}  // namespace
}  // namespace glasscase
