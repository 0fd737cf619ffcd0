#include "model_name.h"

#include <gtest/gtest.h>

namespace glasscase::commands {
namespace {

TEST(ModelNameTest, VersionFollowsTheLastAt) {
  const auto name = ModelName::Parse("ada/digits@2").value();
  EXPECT_EQ(name.model, "ada/digits");
  EXPECT_EQ(name.version, "2");
  EXPECT_EQ(name.OwnPath(), "/glasscase/v1/models/ada%2Fdigits");
  EXPECT_EQ(name.InferPath(), "/v2/models/ada%2Fdigits/versions/2");
}

TEST(ModelNameTest, WithoutVersionTheDefaultIsMeant) {
  EXPECT_EQ(ModelName::Parse("digits").value().InferPath(), "/v2/models/digits");
}

TEST(ModelNameTest, EmptyPartsAreRefused) {
  for (const char* text : {"", "@1", "digits@"}) {
    EXPECT_EQ(ModelName::Parse(text).error().code(), Code::kInvalidArgument) << text;
  }
}

}  // namespace
}  // namespace glasscase::commands
