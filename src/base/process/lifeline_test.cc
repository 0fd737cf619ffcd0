#include <glasscase/process/lifeline.h>

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <gtest/gtest.h>

namespace glasscase::process {
namespace {

using Type = LifelineMessage::Type;

class LifelineTest : public ::testing::Test {
 protected:
  LifelineTest() : pair_(std::move(*MakeLifeline())) {}
  int supervisor() const { return pair_.first.get(); }
  int child() const { return pair_.second.get(); }
  std::pair<Fd, Fd> pair_;
};

TEST_F(LifelineTest, MessagesArriveWithTheirDescriptors) {
  const Fd event(eventfd(7, EFD_CLOEXEC));
  ASSERT_TRUE(
      SendLifeline(supervisor(), {Type::kCallLink, ProcessKind::kHost, 3, 9}, {event.get(), event.get()}));
  ASSERT_TRUE(SendLifeline(supervisor(), {.type = Type::kShutDown, .value = 2000}));
  const auto link = ReceiveLifeline(child());
  ASSERT_TRUE(link && *link);
  EXPECT_EQ((*link)->message.type, Type::kCallLink);
  EXPECT_EQ((*link)->message.peer, ProcessKind::kHost);
  EXPECT_EQ((*link)->message.slot, 3u);
  EXPECT_EQ((*link)->message.value, 9u);
  ASSERT_EQ((*link)->fds.size(), 2u);
  uint64_t count = 0;
  ASSERT_EQ(read((*link)->fds[1].get(), &count, sizeof count), 8);
  EXPECT_EQ(count, 7u);
  const auto end = ReceiveLifeline(child());
  ASSERT_TRUE(end && *end);
  EXPECT_EQ((*end)->message.value, 2000u);
  EXPECT_TRUE((*end)->fds.empty());
}

TEST_F(LifelineTest, NonBlockingSocketWithNothingGivesNothing) {
  fcntl(child(), F_SETFL, O_NONBLOCK);
  const auto nothing = ReceiveLifeline(child());
  ASSERT_TRUE(nothing);
  EXPECT_FALSE(*nothing);
}

TEST_F(LifelineTest, ClosedLifelineIsUnavailableBothWays) {
  pair_.first = Fd();
  EXPECT_EQ(ReceiveLifeline(child()).error().code(), Code::kUnavailable);
  EXPECT_EQ(SendLifeline(child(), {}).error().code(), Code::kUnavailable);
}

TEST_F(LifelineTest, WhatIsNoMessageIsRefused) {
  const uint32_t wrong_type[4] = {9, 1, 0, 0};
  const uint32_t wrong_peer[4] = {20, 99, 0, 0};
  const uint32_t too_long[5] = {20, 1, 0, 0, 0};
  for (const std::pair<const uint32_t*, size_t>& bytes :
       {std::pair{wrong_type, size_t{16}}, {wrong_peer, 16}, {too_long, 20}, {too_long, 4}}) {
    ASSERT_EQ(send(child(), bytes.first, bytes.second, 0), static_cast<ssize_t>(bytes.second));
    EXPECT_EQ(ReceiveLifeline(supervisor()).error().code(), Code::kInvalidArgument);
  }
}

TEST_F(LifelineTest, ChildThatDoesNotReadDoesNotHoldTheSupervisor) {
  fcntl(supervisor(), F_SETFL, O_NONBLOCK);
  Status status;
  for (int i = 0; i < 100'000 && status; ++i) status = SendLifeline(supervisor(), {.type = Type::kPeerGone});
  EXPECT_EQ(status.error().code(), Code::kResourceExhausted);
}

}  // namespace
}  // namespace glasscase::process
