#include "compression.h"

#include <gtest/gtest.h>

namespace glasscase::http {
namespace {

class CompressionTest : public ::testing::TestWithParam<Coding> {};

TEST_P(CompressionTest, RoundTrips) {
  const std::string text(100'000, 'x');
  EXPECT_EQ(*Decompress(GetParam(), Compress(GetParam(), text), text.size()), text);
  EXPECT_EQ(*Decompress(GetParam(), Compress(GetParam(), ""), 10), "");
}

TEST_P(CompressionTest, BombsStopAtTheLimit) {
  const std::string bomb = Compress(GetParam(), std::string(50'000'000, '\0'));
  ASSERT_LT(bomb.size(), 300'000u);
  EXPECT_EQ(Decompress(GetParam(), bomb, 1'000'000).error().code(), Code::kResourceExhausted);
}

TEST_P(CompressionTest, BrokenCutAndTrailingDataAreRefused) {
  const std::string packed = Compress(GetParam(), "some text that is long enough to be cut");
  EXPECT_FALSE(Decompress(GetParam(), packed.substr(0, packed.size() - 3), 1000));
  EXPECT_FALSE(Decompress(GetParam(), packed + "tail", 1000));
  EXPECT_FALSE(Decompress(GetParam(), "not compressed", 1000));
  EXPECT_FALSE(Decompress(GetParam(), "", 1000));
}

INSTANTIATE_TEST_SUITE_P(Codings, CompressionTest, ::testing::Values(Coding::kGzip, Coding::kDeflate));

}  // namespace
}  // namespace glasscase::http
