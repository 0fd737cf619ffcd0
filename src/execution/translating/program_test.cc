#include <glasscase/translating/program.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace glasscase::translating {
namespace {

using ::testing::HasSubstr;

class ListenerTest : public ::testing::Test {
 protected:
  std::vector<Step> steps_;
  Listener listener_{[this](const Step& step) { steps_.push_back(step); }};
};

TEST_F(ListenerTest, StepsAndTheResultAreHeardInPiecesOfAnySize) {
  for (const char c :
       std::string("{\"step\":\"comparing\",\"done\":3,\"total\":9}\nnoise\n{\"result\":{\"opset\":17}}\n"))
    listener_.Hear({&c, 1});
  ASSERT_EQ(steps_.size(), 1u);
  EXPECT_EQ(steps_[0].name, "comparing");
  EXPECT_EQ(steps_[0].done, 3u);
  EXPECT_EQ(steps_[0].total, 9u);
  EXPECT_EQ(listener_.Outcome(true, "exit code 0").value().at("opset").as_int64(), 17);
}

TEST_F(ListenerTest, AResultOfAProgramThatFailedIsNone) {
  listener_.Hear("{\"result\":{\"opset\":17}}\n");
  EXPECT_THAT(listener_.Outcome(false, "signal 9").error().message(), HasSubstr("signal 9"));
  listener_.Hear("{\"error\":{\"code\":\"invalid_argument\",\"message\":\"this is a pickle\"}}\n");
  EXPECT_EQ(listener_.Outcome(false, "exit code 1").error().message(), "this is a pickle");
}

TEST_F(ListenerTest, WhatIsNoLineOfItsOwnIsPassedOver) {
  listener_.Hear("[1]\n{\"step\":7}\n{\"result\":3}\n" + std::string(100'000, 'x') +
                 "\n{\"step\":\"writing\"}\n");
  ASSERT_EQ(steps_.size(), 1u);
  EXPECT_EQ(steps_[0].total, 0u);
  EXPECT_FALSE(listener_.Outcome(true, "exit code 0"));
}

}  // namespace
}  // namespace glasscase::translating
