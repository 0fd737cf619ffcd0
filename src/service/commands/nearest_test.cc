#include "nearest.h"

#include <gtest/gtest.h>

namespace glasscase::commands {
namespace {

const std::vector<std::string> kWords = {"init",   "serve", "publish", "grant",
                                         "revoke", "list",  "status",  "stop"};

TEST(NearestTest, TyposFindTheirWord) {
  EXPECT_EQ(Nearest("publsh", kWords), "publish");
  EXPECT_EQ(Nearest("gratn", kWords), "grant");
  EXPECT_EQ(Nearest("pub", kWords), "publish");
}

TEST(NearestTest, NothingAlikeIsNothing) {
  EXPECT_EQ(Nearest("zzzzzz", kWords), std::nullopt);
  EXPECT_EQ(Nearest("", kWords), std::nullopt);
  EXPECT_EQ(Nearest(std::string(100'000, 'a'), kWords), std::nullopt);
}

}  // namespace
}  // namespace glasscase::commands
