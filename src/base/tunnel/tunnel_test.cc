#include <glasscase/tunnel/tunnel.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <glasscase/crypto/random.h>

namespace glasscase::tunnel {
namespace {

using process::EventLoop;
using process::Frame;
using process::FrameSocket;
using testing::HasSubstr;

TlsIdentity NewIdentity() {
  SystemRandom random;
  return TlsIdentity::FromKey(EcdsaPrivateKey::Generate(Curve::kP256, random).Pem()).value();
}

Fd FileOf(size_t bytes, char fill) {
  Fd file(::memfd_create("test", MFD_CLOEXEC));
  const std::string block(std::min(bytes, size_t{1} << 20), fill);
  for (size_t left = bytes; left > 0;) {
    const ssize_t written = ::write(file.get(), block.data(), std::min(left, block.size()));
    if (written <= 0) std::abort();
    left -= static_cast<size_t>(written);
  }
  return file;
}

size_t SizeOf(const Fd& file) {
  struct stat facts {};
  return ::fstat(file.get(), &facts) == 0 ? static_cast<size_t>(facts.st_size) : SIZE_MAX;
}

char LastByte(const Fd& file) {
  char byte = 0;
  (void)!::pread(file.get(), &byte, 1, static_cast<off_t>(SizeOf(file)) - 1);
  return byte;
}

size_t MemoryKiB() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmRSS:")) return std::stoul(line.substr(6));
  return 0;
}

// One machine: its tunnel and what speaks into it.
struct Side {
  std::unique_ptr<Tunnel> tunnel;
  std::optional<FrameSocket> link;  // the end that a custodian or a worker has
  bool is_up = false;
  bool heard = false;
  std::string gone;  // why
};

class TunnelTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(::mkdtemp(parent_.data()), nullptr);
    auto made = Spool::Make(parent_, ::geteuid());
    ASSERT_TRUE(made);
    spool_ = std::make_unique<Spool>(*std::move(made));
  }
  void TearDown() override {
    near_ = {};
    far_ = {};
    std::filesystem::remove_all(parent_);
  }

  void Open(Side& side, TlsStream stream) {
    auto ends = process::MakeSocketPair().value();
    side.link.emplace(std::move(ends.first), FrameSocket::Limits{});
    auto inner = std::make_shared<Fd>(std::move(ends.second));
    side.tunnel = std::make_unique<Tunnel>(
        loop_, std::move(stream), *spool_, limits_,
        Tunnel::Listener{.on_up =
                             [&side, inner](const Pin&) {
                               side.is_up = true;
                               side.tunnel->Attach(std::move(*inner));
                             },
                         .on_heard = [&side] { side.heard = true; },
                         .on_gone = [&side](const Error& why) { side.gone = why.message(); }});
  }
  void OpenBoth() {
    auto pair = process::MakeSocketPair().value();
    const auto anybody = [](const Pin&) { return Ok(); };
    Open(near_, TlsStream::Connect(one_, std::move(pair.first), anybody).value());
    Open(far_, TlsStream::Accept(other_, std::move(pair.second), anybody).value());
  }
  // The far end by hand, behind real TLS.
  TlsStream OpenNearAgainstHand() {
    auto pair = process::MakeSocketPair().value();
    const auto anybody = [](const Pin&) { return Ok(); };
    Open(near_, TlsStream::Accept(one_, std::move(pair.first), anybody).value());
    TlsStream hand = TlsStream::Connect(other_, std::move(pair.second), anybody).value();
    bool done = false;
    RunUntil([&] { return (done = done || hand.ShakeHands().value()) && near_.is_up; });
    return hand;
  }

  void RunUntil(const std::function<bool()>& condition, int64_t ms = 20'000) {
    const auto deadline = loop_.After(ms, [this] { loop_.Stop(); });
    bool met = false;
    const auto look = loop_.Every(1, [&] {
      met = met || condition();
      if (met) loop_.Stop();
    });
    loop_.Run();
    loop_.Cancel(deadline);
    loop_.Cancel(look);
    ASSERT_TRUE(met) << near_.gone << " " << far_.gone;
  }
  void RunFor(int64_t ms) {
    loop_.After(ms, [this] { loop_.Stop(); });
    loop_.Run();
  }
  // From one link to the other.
  std::vector<Frame> Receive(Side& side, size_t count) {
    std::vector<Frame> frames;
    RunUntil([&] {
      (void)side.link->Flush();
      (void)near_.link->Flush();
      (void)side.link->Receive([&](Frame frame) { frames.push_back(std::move(frame)); });
      return frames.size() >= count || !near_.gone.empty();
    });
    return frames;
  }

  std::string parent_ = "/var/tmp/tunnel_test_XXXXXX";
  EventLoop loop_;
  std::unique_ptr<Spool> spool_;
  TunnelLimits limits_;
  const TlsIdentity one_ = NewIdentity();
  const TlsIdentity other_ = NewIdentity();
  Side near_, far_;
};

TEST_F(TunnelTest, FramesAndTheirFilesArriveInOrderInBothDirections) {
  OpenBoth();
  std::vector<Fd> files;
  for (const size_t bytes : {size_t{0}, size_t{1}, size_t{70} << 20, size_t{0}})
    files.push_back(FileOf(bytes, 'a'));
  ASSERT_TRUE(near_.link->Send("first", std::move(files)));
  ASSERT_TRUE(near_.link->Send("second"));
  ASSERT_TRUE(far_.link->Send("back", {}));
  const auto frames = Receive(far_, 2);
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[0].payload, "first");
  ASSERT_EQ(frames[0].fds.size(), 4U);
  EXPECT_EQ(SizeOf(frames[0].fds[0]), 0U);
  EXPECT_EQ(SizeOf(frames[0].fds[1]), 1U);
  EXPECT_EQ(SizeOf(frames[0].fds[2]), size_t{70} << 20);
  EXPECT_EQ(LastByte(frames[0].fds[2]), 'a');
  EXPECT_EQ(frames[1].payload, "second");
  EXPECT_EQ(Receive(near_, 1).at(0).payload, "back");
  EXPECT_TRUE(near_.heard);
}

TEST_F(TunnelTest, ManyFramesWithManyFilesArrive) {
  OpenBoth();
  RunUntil([&] { return near_.heard && far_.heard; });
  size_t sent = 0;
  size_t got = 0;
  size_t files = 0;
  RunUntil(
      [&] {
        if (sent < 40 && !near_.link->wants_write()) {
          std::vector<Fd> some;
          for (size_t i = 0; i < process::kFdsMax; ++i) some.push_back(FileOf(20'000, 'f'));
          if (!near_.link->Send(std::string(10'000, 'p'), std::move(some))) return false;
          ++sent;
        }
        (void)near_.link->Flush();
        (void)far_.link->Receive([&](const Frame& frame) {
          ++got;
          files += frame.fds.size();
        });
        return got == 40;
      },
      60'000);
  EXPECT_EQ(files, 40 * process::kFdsMax);
}

TEST_F(TunnelTest, WhenOneLinkEndsTheOtherDoesAndHearsWhy) {
  OpenBoth();
  RunUntil([&] { return near_.heard && far_.heard; });
  near_.link.reset();
  RunUntil([&] { return !far_.gone.empty() && !near_.gone.empty(); });
  EXPECT_THAT(near_.gone, HasSubstr("closed the connection"));
  EXPECT_THAT(far_.gone, HasSubstr("the other end says: its end of the link"));
}

TEST_F(TunnelTest, AnEndWithAReasonIsToldToTheOther) {
  OpenBoth();
  RunUntil([&] { return near_.heard && far_.heard; });
  near_.tunnel->End("because");
  RunUntil([&] { return !far_.gone.empty() && !near_.gone.empty(); });
  EXPECT_EQ(near_.gone, "because");
  EXPECT_EQ(far_.gone, "the other end says: because");
}

TEST_F(TunnelTest, WhoeverShakesNoHandsIsGivenUp) {
  limits_.handshake_ms = 600;
  auto pair = process::MakeSocketPair().value();
  Open(near_, TlsStream::Accept(one_, std::move(pair.first), [](const Pin&) { return Ok(); }).value());
  RunUntil([&] { return !near_.gone.empty(); }, 5'000);
  EXPECT_THAT(near_.gone, HasSubstr("hands were not shaken"));
  EXPECT_FALSE(near_.is_up);
}

TEST_F(TunnelTest, WhoeverIsSilentIsGivenUpAndASignOfLifeIsEnough) {
  limits_.silent_ms = 1'500;
  limits_.alive_every_ms = 500;
  TlsStream hand = OpenNearAgainstHand();
  const auto alive = loop_.Every(400, [&] { (void)hand.Write(std::string("\x03\0\0\0\0", 5)); });
  RunFor(3'000);
  EXPECT_EQ(near_.gone, "");
  size_t got = 0;
  char buffer[64];
  for (size_t piece = 1; piece > 0; got += piece) piece = hand.Read(buffer, sizeof buffer).value_or(0);
  EXPECT_GE(got, 10U) << "it gave signs of life itself";
  loop_.Cancel(alive);
  RunUntil([&] { return !near_.gone.empty(); }, 5'000);
  EXPECT_THAT(near_.gone, HasSubstr("it was silent for"));
}

TEST_F(TunnelTest, WhoeverTakesNothingIsGivenUpHoweverAliveItSaysThatItIs) {
  limits_.stalled_ms = 1'500;
  TlsStream hand = OpenNearAgainstHand();
  std::vector<Fd> files;
  files.push_back(FileOf(size_t{64} << 20, 's'));
  ASSERT_TRUE(near_.link->Send("stalls", std::move(files)));
  loop_.Every(200, [&] { (void)hand.Write(std::string("\x03\0\0\0\0", 5)); });
  RunUntil([&] { return !near_.gone.empty(); }, 10'000);
  EXPECT_THAT(near_.gone, HasSubstr("it took nothing for"));
}

TEST_F(TunnelTest, WhoeverAnnouncesFilesThatDoNotComeIsGivenUpHoweverAliveItSaysThatItIs) {
  limits_.silent_ms = 1'500;
  limits_.file_bytes_min = 1'000;
  RecordWriter writer;
  Frame frame{.payload = "announced", .fds = {}};
  frame.fds.push_back(FileOf(size_t{64} << 10, 's'));
  ASSERT_TRUE(writer.Add(std::move(frame)));
  std::string announced;
  ASSERT_TRUE(writer.Next(announced));
  TlsStream hand = OpenNearAgainstHand();
  ASSERT_EQ(hand.Write(announced).value(), announced.size());
  const auto slowly =
      loop_.Every(200, [&] { (void)hand.Write(std::string("\x02\xc8\0\0\0", 5) + std::string(200, 's')); });
  RunFor(4'000);
  EXPECT_EQ(near_.gone, "") << "a thousand bytes a second are enough";
  loop_.Cancel(slowly);
  loop_.Every(200, [&] { (void)hand.Write(std::string("\x02\x01\0\0\0s\x03\0\0\0\0", 11)); });
  RunUntil([&] { return !near_.gone.empty(); }, 10'000);
  EXPECT_THAT(near_.gone, HasSubstr("files that it announced do not come"));
}

TEST_F(TunnelTest, AStreamThatIsCutGivesNoHalfFrame) {
  RecordWriter writer;
  Frame frame{.payload = "cut", .fds = {}};
  frame.fds.push_back(FileOf(40, 'x'));
  ASSERT_TRUE(writer.Add(std::move(frame)));
  std::string stream;
  while (!writer.empty()) ASSERT_TRUE(writer.Next(stream));
  for (size_t cut = 0; cut < stream.size(); ++cut) {
    near_ = {};
    TlsStream hand = OpenNearAgainstHand();
    if (cut > 0) {
      ASSERT_EQ(hand.Write(stream.substr(0, cut)).value(), cut);
    }
    hand.Close();
    RunUntil([&] { return !near_.gone.empty(); }, 5'000);
    size_t frames = 0;
    (void)near_.link->Receive([&](const Frame&) { ++frames; });
    EXPECT_EQ(frames, 0U) << cut;
  }
}

TEST_F(TunnelTest, WhatBreaksTheRulesEndsItWithTheReason) {
  TlsStream hand = OpenNearAgainstHand();
  ASSERT_TRUE(hand.Write(std::string("\x09\0\0\0\0", 5)));
  RunUntil([&] { return !near_.gone.empty(); }, 5'000);
  EXPECT_THAT(near_.gone, HasSubstr("no record of type 9"));
}

TEST_F(TunnelTest, ALinkThatIsNotReadHoldsTheOtherEndBackAndNoMemory) {
  OpenBoth();
  RunUntil([&] { return near_.heard && far_.heard; });
  const size_t before = MemoryKiB();
  size_t sent = 0;
  const auto push = loop_.Every(1, [&] {
    for (int i = 0; i < 50 && sent < 400; ++i) {
      if (near_.link->wants_write()) break;
      if (near_.link->Send(std::string(500'000, 'b'))) ++sent;
    }
    (void)near_.link->Flush();
  });
  RunFor(2'000);
  EXPECT_LT(sent, 400U) << "somebody holds 200 MB";
  EXPECT_LT(MemoryKiB(), before + 64 * 1024);
  size_t got = 0;
  RunUntil(
      [&] {
        (void)far_.link->Receive([&](const Frame&) { ++got; });
        return got == 400;
      },
      60'000);
  loop_.Cancel(push);
}

}  // namespace
}  // namespace glasscase::tunnel
