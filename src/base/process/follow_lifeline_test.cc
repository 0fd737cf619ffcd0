#include <glasscase/process/follow_lifeline.h>

#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace glasscase::process {
namespace {

using Type = LifelineMessage::Type;

class FollowLifelineTest : public ::testing::Test {
 protected:
  FollowLifelineTest() : pair_(std::move(*MakeLifeline())) {
    EXPECT_TRUE(FollowLifeline(loop_, pair_.second.get(), [this](ReceivedLifelineMessage received) {
      slots_.push_back(received.message.slot);
    }));
    loop_.After(5'000, [this] {
      is_late_ = true;
      loop_.Stop();
    });
  }
  void Say(const LifelineMessage& message) { ASSERT_TRUE(SendLifeline(pair_.first.get(), message)); }

  std::pair<Fd, Fd> pair_;
  EventLoop loop_;
  std::vector<uint32_t> slots_;
  bool is_late_ = false;
};

TEST_F(FollowLifelineTest, MessagesComeInOrderUntilItIsToEnd) {
  Say({.type = Type::kPeerGone, .slot = 1});
  Say({.type = Type::kPeerGone, .slot = 2});
  Say({.type = Type::kShutDown, .slot = 3});
  Say({.type = Type::kPeerGone, .slot = 4});
  loop_.Run();
  EXPECT_FALSE(is_late_);
  EXPECT_EQ(slots_, (std::vector<uint32_t>{1, 2}));
}

TEST_F(FollowLifelineTest, AChildDoesNotOutliveItsSupervisor) {
  Say({.type = Type::kPeerGone, .slot = 1});
  pair_.first = Fd();
  loop_.Run();
  EXPECT_FALSE(is_late_);
  EXPECT_EQ(slots_, std::vector<uint32_t>{1});
}

TEST(FollowLifeline, WhatIsNoDescriptorIsRefused) {
  EventLoop loop;
  EXPECT_FALSE(FollowLifeline(loop, -1, [](const ReceivedLifelineMessage&) {}));
}

}  // namespace
}  // namespace glasscase::process
