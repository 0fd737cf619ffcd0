#include <glasscase/process/call_channel.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <random>
#include <string>
#include <thread>

#include <gtest/gtest.h>

namespace glasscase::process {
namespace {

Fd Dup(const Fd& fd) { return Fd(fcntl(fd.get(), F_DUPFD_CLOEXEC, 0)); }

class CallChannelTest : public ::testing::Test {
 protected:
  CallChannelTest() : fds_(std::move(*MakeChannel())), edge_(Open(Side::kEdge)), host_(Open(Side::kHost)) {}

  CallChannel Open(Side side) {
    return std::move(*CallChannel::Open({Dup(fds_.memory), Dup(fds_.wake_host), Dup(fds_.wake_edge)}, side));
  }

  static Status Send(CallChannel& channel, std::string_view text) {
    GC_TRY(const std::span<uint8_t> room, channel.Reserve(text.size()));
    std::memcpy(room.data(), text.data(), text.size());
    channel.Commit(text.size());
    return Ok();
  }

  // What the next record holds, or "(empty)", or the error's code.
  static std::string Next(CallChannel& channel) {
    Bytes record;
    const Result<bool> received = channel.Receive(record);
    if (!received) return std::string(CodeName(received.error().code()));
    return *received ? std::string(AsText(record)) : "(empty)";
  }

  static bool Readable(int fd) {
    pollfd waiting{fd, POLLIN, 0};
    return poll(&waiting, 1, 0) == 1;
  }

  // The whole region as a taken-over peer sees it.
  uint8_t* Region() {
    if (region_ == nullptr) {
      region_ = static_cast<uint8_t*>(mmap(nullptr, static_cast<size_t>(CallChannel::RegionBytes()),
                                           PROT_READ | PROT_WRITE, MAP_SHARED, fds_.memory.get(), 0));
    }
    return region_;
  }

  ~CallChannelTest() override {
    if (region_ != nullptr) munmap(region_, static_cast<size_t>(CallChannel::RegionBytes()));
  }

  ChannelFds fds_;
  CallChannel edge_;
  CallChannel host_;
  uint8_t* region_ = nullptr;
};

// Where the ring towards the host lies in the region.
constexpr size_t kProducedAt = 0;
constexpr size_t kRestartAt = 8;
constexpr size_t kConsumedAt = 64;
constexpr size_t kDataAt = 4096;

TEST_F(CallChannelTest, RecordsArriveInOrderAndBothWays) {
  EXPECT_EQ(Next(host_), "(empty)");
  ASSERT_TRUE(Send(edge_, "one"));
  ASSERT_TRUE(Send(edge_, ""));
  ASSERT_TRUE(Send(host_, "answer"));
  EXPECT_EQ(Next(host_), "one");
  EXPECT_EQ(Next(host_), "");
  EXPECT_EQ(Next(host_), "(empty)");
  EXPECT_EQ(Next(edge_), "answer");
}

TEST_F(CallChannelTest, OnlyTheUsedPartOfAReservationIsSent) {
  const std::span<uint8_t> room = *edge_.Reserve(1000);
  std::memcpy(room.data(), "short", 5);
  edge_.Commit(5);
  ASSERT_TRUE(Send(edge_, "next"));
  EXPECT_EQ(Next(host_), "short");
  EXPECT_EQ(Next(host_), "next");
}

TEST_F(CallChannelTest, RecordsAboveTheLimitAreRefused) {
  EXPECT_EQ(edge_.Reserve(kRecordBytesMax + 1).error().code(), Code::kInvalidArgument);
  EXPECT_TRUE(edge_.Reserve(kRecordBytesMax));
}

TEST_F(CallChannelTest, FullRingRefusesAndTakesAgainWhenDrained) {
  const std::string large(size_t{31} << 20, 'x');
  ASSERT_TRUE(Send(edge_, large));
  ASSERT_TRUE(Send(edge_, large));
  EXPECT_EQ(Send(edge_, large).error().code(), Code::kResourceExhausted);
  EXPECT_EQ(Next(host_).size(), large.size());
  EXPECT_EQ(Next(host_).size(), large.size());
  EXPECT_TRUE(Send(edge_, large));
  EXPECT_EQ(Next(host_).size(), large.size());
}

TEST_F(CallChannelTest, DrainedRingTakesTheLargestRecordAtEveryOffset) {
  const std::string large(kRecordBytesMax, 'x');
  const std::string step(size_t{3} << 20, 's');
  for (int round = 0; round < 22; ++round) {
    ASSERT_TRUE(Send(edge_, step));
    if (round % 7 != 0) {
      ASSERT_EQ(Next(host_).size(), step.size());
      continue;
    }
    ASSERT_TRUE(Send(edge_, step));
    ASSERT_EQ(Next(host_).size(), step.size());
    ASSERT_EQ(Next(host_).size(), step.size());
    ASSERT_TRUE(Send(edge_, large)) << "round " << round;
    ASSERT_EQ(Next(host_).size(), large.size());
  }
}

TEST_F(CallChannelTest, RestartAtOffsetZeroTakesNoRoomFromTheRing) {
  const std::string record(300'000, 'x');
  ASSERT_TRUE(Send(edge_, record));
  ASSERT_EQ(Next(host_), record);
  const size_t fit = kRingBytes / (record.size() + 8);
  for (size_t i = 0; i < fit; ++i) ASSERT_TRUE(Send(edge_, record)) << i;
  EXPECT_FALSE(Send(edge_, record));
  for (size_t i = 0; i < fit; ++i) ASSERT_EQ(Next(host_), record);
  EXPECT_EQ(Next(host_), "(empty)");
}

TEST_F(CallChannelTest, RecordsWrapAtTheEndOfTheRing) {
  uint64_t next = 0;
  uint64_t expected = 0;
  const auto text = [](uint64_t n) {
    return std::string(1'000'003 + n * 37'123 % 700'000, static_cast<char>(n));
  };
  for (int i = 0; i < 100; ++i) {
    while (Send(edge_, text(next))) ++next;
    for (int taken = 0; taken < 3; ++taken) ASSERT_EQ(Next(host_), text(expected++));  // never drained
  }
  EXPECT_GT(next, 300u);
}

TEST_F(CallChannelTest, QuietChannelKeepsFewPages) {
  const std::string record(100'000, 'q');
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(Send(edge_, record));
    ASSERT_EQ(Next(host_), record);
  }
  struct stat status {};
  ASSERT_EQ(fstat(fds_.memory.get(), &status), 0);
  EXPECT_LT(status.st_blocks * 512, 1 << 20);
}

TEST_F(CallChannelTest, PeerIsWokenOnlyWhenItSleepsAndOncePerSleep) {
  ASSERT_TRUE(Send(edge_, "awake"));
  edge_.WakePeer();
  EXPECT_FALSE(Readable(host_.wake_fd()));
  EXPECT_FALSE(host_.PrepareToSleep()) << "a record waits";
  EXPECT_EQ(Next(host_), "awake");

  ASSERT_TRUE(host_.PrepareToSleep());
  edge_.WakePeer();
  EXPECT_FALSE(Readable(host_.wake_fd())) << "nothing new was committed";
  ASSERT_TRUE(Send(edge_, "wake up"));
  edge_.WakePeer();
  EXPECT_TRUE(Readable(host_.wake_fd()));
  host_.Awake();
  EXPECT_FALSE(Readable(host_.wake_fd()));
  EXPECT_EQ(Next(host_), "wake up");
}

TEST_F(CallChannelTest, MemoryThatThePeerCouldShrinkIsRefused) {
  Fd memory(memfd_create("shrinkable", MFD_ALLOW_SEALING));
  ASSERT_EQ(ftruncate(memory.get(), CallChannel::RegionBytes()), 0);
  const auto open = [&](Fd region) {
    return CallChannel::Open({std::move(region), Dup(fds_.wake_host), Dup(fds_.wake_edge)}, Side::kHost);
  };
  EXPECT_FALSE(open(Dup(memory)));
  ASSERT_EQ(fcntl(memory.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
  EXPECT_TRUE(open(Dup(memory)));
  Fd small(memfd_create("small", MFD_ALLOW_SEALING));
  ASSERT_EQ(ftruncate(small.get(), 4096), 0);
  ASSERT_EQ(fcntl(small.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
  EXPECT_FALSE(open(std::move(small)));
  EXPECT_FALSE(open(Dup(fds_.wake_host)));
}

TEST_F(CallChannelTest, BrokenRingIsDataLossForEver) {
  const auto store32 = [&](size_t at, uint32_t value) { std::memcpy(Region() + at, &value, sizeof value); };
  const auto break_with = [&](auto scribble) {
    fds_ = std::move(*MakeChannel());
    edge_ = Open(Side::kEdge);
    host_ = Open(Side::kHost);
    if (region_ != nullptr) munmap(region_, static_cast<size_t>(CallChannel::RegionBytes()));
    region_ = nullptr;
    EXPECT_TRUE(Send(edge_, "0123456789"));
    scribble();
    const std::string first = Next(host_);
    EXPECT_EQ(Next(host_), first);
    return first;
  };
  EXPECT_EQ(break_with([&] { store32(kDataAt, 17); }), "data_loss");  // beyond what was produced
  EXPECT_EQ(break_with([&] { store32(kDataAt, kRecordBytesMax + 1); }), "data_loss");
  EXPECT_EQ(break_with([&] { store32(kDataAt, 0xFFFF'FFFF); }), "data_loss");  // wrap at offset 0
  EXPECT_EQ(break_with([&] { store32(kDataAt + 4, 1); }), "data_loss");        // reserved word
  EXPECT_EQ(break_with([&] { store32(kRestartAt, 8); }), "data_loss");         // ahead of the consumer
  EXPECT_EQ(break_with([&] { store32(kProducedAt, 12); }), "data_loss");       // not a multiple of 8
  EXPECT_EQ(break_with([&] { store32(kProducedAt + 4, 1); }), "data_loss");    // more than the ring holds
}

TEST_F(CallChannelTest, ProducerNoticesImpossibleConsumer) {
  ASSERT_TRUE(Send(edge_, std::string(300'000, 'x')));
  const uint64_t beyond = 1 << 30;
  std::memcpy(Region() + kConsumedAt, &beyond, sizeof beyond);
  EXPECT_EQ(edge_.Reserve(1).error().code(), Code::kDataLoss);
  EXPECT_EQ(edge_.Reserve(1).error().code(), Code::kDataLoss);
}

TEST_F(CallChannelTest, NoWakeIsLostBetweenTwoThreads) {
  constexpr uint64_t kRecords = 100'000;
  const auto wait = [](CallChannel& channel) {
    if (!channel.PrepareToSleep()) return true;
    pollfd waiting{channel.wake_fd(), POLLIN, 0};
    const bool woken = poll(&waiting, 1, 20'000) == 1;  // far longer than the test takes
    channel.Awake();
    return woken;
  };
  std::thread host([&] {
    Bytes record;
    for (uint64_t expected = 0; expected < kRecords;) {
      const Result<bool> received = host_.Receive(record);
      ASSERT_TRUE(received);
      if (!*received) {
        host_.WakePeer();
        ASSERT_TRUE(wait(host_)) << "lost wake before record " << expected;
        continue;
      }
      uint64_t number = 0;
      std::memcpy(&number, record.data(), sizeof number);
      ASSERT_EQ(number, expected);
      ASSERT_EQ(record.size(), 8 + number % 3000);
      ++expected;
      auto room = host_.Reserve(8);
      ASSERT_TRUE(room) << room.error().message();
      std::memcpy(room->data(), &number, sizeof number);
      host_.Commit(8);
    }
    host_.WakePeer();
  });
  std::minstd_rand random(1);
  Bytes record;
  uint64_t sent = 0;
  uint64_t answered = 0;
  while (answered < kRecords) {
    for (uint64_t burst = random() % 64; burst > 0 && sent < kRecords && sent - answered < 5000; --burst) {
      auto room = edge_.Reserve(8 + sent % 3000);
      ASSERT_TRUE(room) << room.error().message();
      std::memcpy(room->data(), &sent, sizeof sent);
      edge_.Commit(8 + sent % 3000);
      ++sent;
    }
    edge_.WakePeer();
    bool any = false;
    while (*edge_.Receive(record)) {
      ++answered;
      any = true;
    }
    if (!any && sent > answered) {
      ASSERT_TRUE(wait(edge_)) << "lost wake after " << answered;
    }
  }
  host.join();
}

// A taken-over peer writes anywhere in the region while we receive and send: we get bytes or errors.
TEST_F(CallChannelTest, ScribblingPeerCausesErrorsAndNothingWorse) {
  constexpr int kRounds = 200;
  uint8_t* const region = Region();
  std::atomic<bool> done = false;
  std::thread scribbler([&] {
    std::minstd_rand random(2);
    while (!done) {
      const bool header = random() % 2 == 0;
      const size_t at = header ? random() % 48 * 8 : kDataAt + random() % 512 * 8;
      const uint64_t values[] = {0, 8, random() % 4096 * 8, 0xFFFF'FFFF, random(), ~uint64_t{0}};
      auto* const word = reinterpret_cast<uint64_t*>(region + at);
      __atomic_store_n(word, values[random() % 6], __ATOMIC_RELEASE);
    }
  });
  Bytes record;
  size_t broken = 0;
  for (int round = 0; round < kRounds; ++round) {
    CallChannel host = Open(Side::kHost);
    CallChannel edge = Open(Side::kEdge);
    for (int i = 0; i < 300; ++i) {
      const Result<bool> received = host.Receive(record);
      ASSERT_LE(record.size(), kRecordBytesMax);
      broken += received ? 0 : 1;
      const auto room = edge.Reserve(static_cast<size_t>(i) * 16);
      if (!room) continue;
      std::fill(room->begin(), room->end(), uint8_t{7});
      edge.Commit(room->size());
      edge.WakePeer();
      if (host.PrepareToSleep()) host.Awake();
    }
  }
  done = true;
  scribbler.join();
  EXPECT_GT(broken, 0u);
}

}  // namespace
}  // namespace glasscase::process
