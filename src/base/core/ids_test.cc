#include <glasscase/core/ids.h>

#include <gtest/gtest.h>

namespace glasscase {
namespace {

TEST(UuidTest, RandomOnesAreVersion4AndDiffer) {
  const std::string text = Uuid::Random().ToString();
  EXPECT_EQ(text[14], '4');
  EXPECT_NE(std::string_view("89ab").find(text[19]), std::string_view::npos);
  EXPECT_NE(Uuid::Random(), Uuid::Random());
}

TEST(UuidTest, TextRoundTrips) {
  const std::string text = "f81d4fae-7dec-41d0-a765-00a0c91e6bf6";
  EXPECT_EQ(Uuid::Parse(text)->ToString(), text);
}

TEST(UuidTest, RefusesMisplacedDashesAndForeignLengths) {
  EXPECT_FALSE(Uuid::Parse("f81d4fae7dec-41d0-a765-00a0c91e6bf6-"));
  EXPECT_FALSE(Uuid::Parse(""));
  EXPECT_FALSE(Uuid::Parse("f81d4fae-7dec-41d0-a765-00a0c91e6bfg"));
  EXPECT_FALSE(Uuid::FromBytes("short"));
}

}  // namespace
}  // namespace glasscase
