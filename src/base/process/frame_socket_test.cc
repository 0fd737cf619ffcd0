#include <glasscase/process/frame_socket.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace glasscase::process {
namespace {

using ::testing::ElementsAre;

Fd OpenPipeEnd() {
  int ends[2];
  EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
  close(ends[1]);
  return Fd(ends[0]);
}

uint64_t Inode(const Fd& fd) {
  struct stat status {};
  EXPECT_EQ(fstat(fd.get(), &status), 0);
  return status.st_ino;
}

int OpenFds() {
  int count = 0;
  for (int fd = 0; fd < 1024; ++fd) count += fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
  return count;
}

std::string Header(uint32_t length) {
  return std::string(reinterpret_cast<const char*>(&length), sizeof length);
}

class FrameSocketTest : public ::testing::Test {
 protected:
  explicit FrameSocketTest(FrameSocket::Limits limits = {})
      : pair_(std::move(*MakeSocketPair())),
        raw_(pair_.first.get()),
        a_(std::move(pair_.first), limits),
        b_(std::move(pair_.second), limits) {}

  Status ReceiveAll() {
    return b_.Receive([this](Frame frame) {
      texts_.push_back(frame.payload);
      frames_.push_back(std::move(frame));
    });
  }
  // As a peer that does not use this class.
  void SendRaw(std::string_view bytes, const std::vector<int>& fds = {}) {
    iovec part{const_cast<char*>(bytes.data()), bytes.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    alignas(cmsghdr) char control[CMSG_SPACE((kFdsMax + 1) * sizeof(int))] = {};
    if (!fds.empty()) {
      message.msg_control = control;
      message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
      cmsghdr* const header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
      std::memcpy(CMSG_DATA(header), fds.data(), fds.size() * sizeof(int));
    }
    ASSERT_EQ(sendmsg(raw_, &message, 0), static_cast<ssize_t>(bytes.size()));
  }

  std::pair<Fd, Fd> pair_;
  int raw_;
  FrameSocket a_;
  FrameSocket b_;
  std::vector<Frame> frames_;
  std::vector<std::string> texts_;
};

TEST_F(FrameSocketTest, FramesArriveWholeAndInOrder) {
  ASSERT_TRUE(a_.Send("one"));
  ASSERT_TRUE(a_.Send(""));
  ASSERT_TRUE(a_.Send("three"));
  ASSERT_TRUE(ReceiveAll());
  EXPECT_THAT(texts_, ElementsAre("one", "", "three"));
}

TEST_F(FrameSocketTest, FramesArriveWholeWhateverThePieces) {
  const std::string wire = Header(3) + "abc" + Header(0) + Header(2) + "de";
  for (const char byte : wire) {
    SendRaw({&byte, 1});
    ASSERT_TRUE(ReceiveAll());
  }
  EXPECT_THAT(texts_, ElementsAre("abc", "", "de"));
}

TEST_F(FrameSocketTest, DescriptorsArriveWithTheirOwnFrame) {
  Fd first = OpenPipeEnd();
  Fd second = OpenPipeEnd();
  Fd third = OpenPipeEnd();
  const std::vector<uint64_t> inodes = {Inode(first), Inode(second), Inode(third)};
  ASSERT_TRUE(a_.Send("without"));
  std::vector<Fd> two;
  two.push_back(std::move(first));
  two.push_back(std::move(second));
  ASSERT_TRUE(a_.Send("two", std::move(two)));
  ASSERT_TRUE(a_.Send("without"));
  std::vector<Fd> one;
  one.push_back(std::move(third));
  ASSERT_TRUE(a_.Send("one", std::move(one)));
  ASSERT_TRUE(a_.Send("without"));
  ASSERT_TRUE(ReceiveAll());
  EXPECT_THAT(texts_, ElementsAre("without", "two", "without", "one", "without"));
  ASSERT_EQ(frames_[1].fds.size(), 2u);
  ASSERT_EQ(frames_[3].fds.size(), 1u);
  EXPECT_THAT(
      (std::vector<uint64_t>{Inode(frames_[1].fds[0]), Inode(frames_[1].fds[1]), Inode(frames_[3].fds[0])}),
      ::testing::ElementsAreArray(inodes));
  EXPECT_TRUE(frames_[0].fds.empty() && frames_[2].fds.empty() && frames_[4].fds.empty());
}

TEST_F(FrameSocketTest, LargeFramesWithDescriptorsSurvivePartialWrites) {
  std::vector<uint64_t> inodes;
  for (int i = 0; i < 6; ++i) {
    std::vector<Fd> fds;
    if (i % 2 == 0) {
      fds.push_back(OpenPipeEnd());
      inodes.push_back(Inode(fds[0]));
    }
    ASSERT_TRUE(a_.Send(std::string(1'000'000, static_cast<char>('a' + i)), std::move(fds)));
  }
  EXPECT_TRUE(a_.wants_write());
  while (frames_.size() < 6) {
    ASSERT_TRUE(a_.Flush());
    ASSERT_TRUE(ReceiveAll());
  }
  EXPECT_FALSE(a_.wants_write());
  for (size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(texts_[i], std::string(1'000'000, static_cast<char>('a' + i)));
    ASSERT_EQ(frames_[i].fds.size(), i % 2 == 0 ? 1u : 0u);
    if (i % 2 != 0) continue;
    EXPECT_EQ(Inode(frames_[i].fds[0]), inodes[i / 2]);
  }
}

TEST_F(FrameSocketTest, AnswersMayBeSentFromWithinReceive) {
  ASSERT_TRUE(a_.Send("ping"));
  ASSERT_TRUE(b_.Receive([this](Frame frame) { ASSERT_TRUE(b_.Send(frame.payload + " pong")); }));
  std::string answer;
  ASSERT_TRUE(a_.Receive([&](Frame frame) { answer = frame.payload; }));
  EXPECT_EQ(answer, "ping pong");
}

TEST_F(FrameSocketTest, TooLongFrameEndsTheConnection) {
  SendRaw(Header(1) + "x" + Header((1 << 20) + 1));
  EXPECT_EQ(ReceiveAll().error().code(), Code::kInvalidArgument);
  EXPECT_THAT(texts_, ElementsAre("x"));
  SendRaw(Header(1) + "y");
  EXPECT_EQ(ReceiveAll().error().code(), Code::kInvalidArgument) << "and stays ended";
  EXPECT_EQ(texts_.size(), 1u);
}

TEST_F(FrameSocketTest, EndOfStreamIsUnavailableAfterTheLastFrame) {
  ASSERT_TRUE(a_.Send("last"));
  a_ = FrameSocket(Fd(), {});
  EXPECT_EQ(ReceiveAll().error().code(), Code::kUnavailable);
  EXPECT_THAT(texts_, ElementsAre("last"));
  EXPECT_EQ(b_.Send("x").error().code(), Code::kUnavailable);
}

TEST_F(FrameSocketTest, DescriptorsOfABrokenPeerAreClosed) {
  const Fd fd = OpenPipeEnd();
  const int before = OpenFds();
  SendRaw(Header(4) + "abcd", std::vector<int>(kFdsMax + 1, fd.get()));
  EXPECT_EQ(ReceiveAll().error().code(), Code::kInvalidArgument);
  EXPECT_EQ(OpenFds(), before);
}

TEST_F(FrameSocketTest, DescriptorsInTheMiddleOfAFrameAreRefused) {
  const Fd fd = OpenPipeEnd();
  SendRaw(Header(4) + "ab");
  ASSERT_TRUE(ReceiveAll());
  SendRaw("cd", {fd.get()});
  EXPECT_EQ(ReceiveAll().error().code(), Code::kInvalidArgument);
}

TEST_F(FrameSocketTest, NoPeerMakesUsHoldManyDescriptors) {
  const Fd fd = OpenPipeEnd();
  const int before = OpenFds();
  SendRaw(Header(100));
  Status status;
  for (int i = 0; i < 50 && status; ++i) {
    SendRaw("x", std::vector<int>(kFdsMax, fd.get()));
    status = ReceiveAll();
  }
  EXPECT_FALSE(status);
  EXPECT_LE(OpenFds(), before + 3 * static_cast<int>(kFdsMax));
}

TEST_F(FrameSocketTest, TooManyDescriptorsAreNotSent) {
  std::vector<Fd> fds;
  for (size_t i = 0; i <= kFdsMax; ++i) fds.push_back(OpenPipeEnd());
  EXPECT_EQ(a_.Send("x", std::move(fds)).error().code(), Code::kInvalidArgument);
}

class SmallQueueTest : public FrameSocketTest {
 protected:
  SmallQueueTest() : FrameSocketTest({.frame_bytes_max = 1 << 20, .queued_bytes_max = 1 << 20}) {}
};

TEST_F(SmallQueueTest, PeerThatDoesNotReadIsReported) {
  Status status;
  for (int i = 0; i < 100 && status; ++i) status = a_.Send(std::string(100'000, 'x'));
  EXPECT_EQ(status.error().code(), Code::kResourceExhausted);
}

}  // namespace
}  // namespace glasscase::process
