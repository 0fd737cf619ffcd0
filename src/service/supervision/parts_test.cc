#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

#include <gtest/gtest.h>

#include "children.h"
#include "listening_socket.h"
#include "restart_pace.h"

namespace glasscase::supervision {
namespace {

TEST(RestartPaceTest, FirstDeathIsAnsweredAtOnceThenMoreSlowlyButAlways) {
  RestartPace pace;
  std::vector<int64_t> delays;
  for (int i = 0; i < 12; ++i) delays.push_back(pace.DelayMillis(5, false));
  EXPECT_EQ(delays, (std::vector<int64_t>{0, 10, 20, 40, 80, 160, 320, 500, 500, 500, 500, 500}));
}

TEST(RestartPaceTest, LongLifeOrAKillFromOutsideStartsAnew) {
  RestartPace pace;
  for (int i = 0; i < 5; ++i) pace.DelayMillis(5, false);
  EXPECT_EQ(pace.DelayMillis(5, true), 0);
  EXPECT_EQ(pace.DelayMillis(5, false), 0);
  EXPECT_EQ(pace.DelayMillis(5, false), 10);
  EXPECT_EQ(pace.DelayMillis(1000, false), 0);
  EXPECT_EQ(pace.DelayMillis(5, false), 0);
}

TEST(DeathTest, OnlyAnUnaskedSignalThatIsNoCrashCameFromOutside) {
  EXPECT_TRUE(ReadDeath(SIGKILL, false).from_outside);
  EXPECT_TRUE(ReadDeath(SIGTERM, false).from_outside);
  EXPECT_FALSE(ReadDeath(SIGKILL, true).from_outside);
  for (const int signal_number : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGXCPU}) {
    EXPECT_FALSE(ReadDeath(signal_number, false).from_outside);
  }
  EXPECT_FALSE(ReadDeath(1 << 8, false).from_outside);
  EXPECT_TRUE(ReadDeath(0, false).clean);
}

TEST(ListeningSocketTest, RefusesWhatIsNoAddress) {
  for (const char* const text :
       {"", "8000", "127.0.0.1", "127.0.0.1:", "127.0.0.1:70000", "::1:80", "[::1]", "host:1"}) {
    EXPECT_FALSE(ListeningSocket::Open(text)) << text;
  }
}

TEST(ListeningSocketTest, ChosenPortStaysWhenTheSocketIsRepaired) {
  auto listener = std::move(*ListeningSocket::Open("127.0.0.1:0"));
  const std::string address = listener.address();
  ASSERT_TRUE(listener.Repair());
  ASSERT_EQ(shutdown(listener.fd(), SHUT_RDWR), 0);  // what a taken-over edge can do
  ASSERT_TRUE(listener.Repair());
  EXPECT_EQ(listener.address(), address);
  int listening = 0;
  socklen_t size = sizeof listening;
  ASSERT_EQ(getsockopt(listener.fd(), SOL_SOCKET, SO_ACCEPTCONN, &listening, &size), 0);
  EXPECT_EQ(listening, 1);
}

TEST(ListeningSocketTest, KnowsWhatOthersCanReach) {
  EXPECT_TRUE(ListeningSocket::Open("127.0.0.1:0")->loopback());
  EXPECT_TRUE(ListeningSocket::Open("localhost:0")->loopback());
  EXPECT_TRUE(ListeningSocket::Open("[::1]:0")->loopback());
  EXPECT_FALSE(ListeningSocket::Open("0.0.0.0:0")->loopback());
}

}  // namespace
}  // namespace glasscase::supervision
