#include <glasscase/process/close_elsewhere.h>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <glasscase/process/frame_socket.h>
#include <glasscase/process/testing/lingering_socket.h>

namespace glasscase::process {
namespace {

using std::chrono::steady_clock;

std::vector<Fd> ListOf(Fd fd) {
  std::vector<Fd> list;
  list.push_back(std::move(fd));
  return list;
}

bool IsClosedSoon(const Fd& read_end) {
  pollfd wait{.fd = read_end.get(), .events = POLLIN, .revents = 0};
  return ::poll(&wait, 1, 10'000) == 1 && (wait.revents & POLLHUP) != 0;
}

TEST(CloseElsewhereTest, NobodyWaitsForASocketThatLingers) {
  auto [lingers, peer] = testing::LingeringSocket(3);
  const auto begun = steady_clock::now();
  { const ForeignFds foreign(ListOf(std::move(lingers))); }
  EXPECT_LT(steady_clock::now() - begun, std::chrono::seconds(1));
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe2(pipe.data(), O_CLOEXEC), 0);
  const Fd read_end(pipe[0]);
  CloseElsewhere(ListOf(Fd(pipe[1])));
  EXPECT_TRUE(IsClosedSoon(read_end)) << "it waits behind the one that lingers";
}

TEST(CloseElsewhereTest, NobodyWaitsForWhatALinkHoldsAndNobodyHasRead) {
  auto ends = MakeSocketPair().value();
  std::optional<FrameSocket> ours(std::in_place, std::move(ends.first),
                                  FrameSocket::Limits{.peer_is_foreign = true});
  FrameSocket theirs(std::move(ends.second), {});
  auto [lingers, peer] = testing::LingeringSocket(3);
  ASSERT_TRUE(theirs.Send("unread", ListOf(std::move(lingers))));
  const auto begun = steady_clock::now();
  ours.reset();
  EXPECT_LT(steady_clock::now() - begun, std::chrono::seconds(1));
  pollfd wait{.fd = theirs.fd(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&wait, 1, 10'000), 1) << "the peer hears of it";
}

TEST(CloseElsewhereTest, WhatWasTakenOutIsNotClosed) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe2(pipe.data(), O_CLOEXEC), 0);
  const Fd read_end(pipe[0]);
  std::vector<Fd> kept;
  {
    ForeignFds foreign(ListOf(Fd(pipe[1])));
    kept = foreign.Take();
  }
  EXPECT_EQ(::write(kept.at(0).get(), "x", 1), 1);
}

}  // namespace
}  // namespace glasscase::process
