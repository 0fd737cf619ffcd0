#include <glasscase/gate/gate.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <glasscase/crypto/random.h>

namespace glasscase::gate {
namespace {

using process::EventLoop;
using process::Frame;
using process::FrameSocket;
using tunnel::TlsIdentity;
using tunnel::TlsStream;

Secret NewKey() {
  SystemRandom random;
  return EcdsaPrivateKey::Generate(Curve::kP256, random).Pem();
}

// The far end of a connection.
struct Caller {
  std::optional<TlsStream> stream;
  std::string said;  // by the gate
  bool is_over = false;
  bool is_up = false;
  void Step() {
    if (is_over) return;
    if (!is_up) {
      const auto done = stream->ShakeHands();
      is_over = !done;
      is_up = done && *done;
      return;
    }
    char buffer[4096];
    const auto got = stream->Read(buffer, sizeof buffer);
    if (!got) is_over = true;
    if (got) said.append(buffer, *got);
  }
};

class GateTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(::mkdtemp(parent_.data()), nullptr);
    auto made = tunnel::Spool::Make(parent_, ::geteuid());
    ASSERT_TRUE(made);
    spool_ = std::make_unique<tunnel::Spool>(*std::move(made));
    Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address_), sizeof address_), 0);
    ASSERT_EQ(::listen(listener.get(), 128), 0);
    socklen_t length = sizeof address_;
    ASSERT_EQ(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address_), &length), 0);
    gate_ = std::make_unique<Gate>(loop_, *spool_, options_);
    gate_->Listen(std::move(listener));
    StartCustodian();
  }
  void TearDown() override {
    gate_.reset();
    std::filesystem::remove_all(parent_);
  }

  void StartCustodian() {
    auto ends = process::MakeSocketPair().value();
    custodian_.emplace(std::move(ends.first), FrameSocket::Limits{});
    came_.clear();
    gate_->Link(std::move(ends.second));
  }
  void Enrol(const std::vector<std::pair<std::string, Pin>>& workers) {
    rpc::FromCustodian message;
    message.mutable_gate_orders()->set_key(std::string(gate_key_.Reveal(RevealToken())));
    for (const auto& [name, pin] : workers) {
      rpc::EnrolledWorker& row = *message.mutable_gate_orders()->add_workers();
      row.set_name(name);
      row.set_pin(std::string(AsText(pin)));
    }
    ASSERT_TRUE(custodian_->Send(message.SerializeAsString()));
  }
  Fd Dial() {
    Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(socket.get(), reinterpret_cast<sockaddr*>(&address_), sizeof address_), 0);
    return socket;
  }
  Caller& Call(const TlsIdentity& identity) {
    callers_.push_back(std::make_unique<Caller>());
    callers_.back()->stream.emplace(
        TlsStream::Connect(identity, Dial(), [](const Pin&) { return Ok(); }).value());
    return *callers_.back();
  }
  void RunUntil(const std::function<bool()>& condition, int64_t ms = 10'000) {
    bool met = false;
    const auto deadline = loop_.After(ms, [this] { loop_.Stop(); });
    const auto look = loop_.Every(1, [&] {
      for (auto& caller : callers_) caller->Step();
      if (custodian_)
        (void)custodian_->Receive([this](Frame frame) {
          rpc::ToCustodian message;
          ASSERT_TRUE(message.ParseFromString(frame.payload));
          if (message.has_worker_came()) came_.emplace_back(message.worker_came(), std::move(frame.fds));
        });
      met = met || condition();
      if (met) loop_.Stop();
    });
    loop_.Run();
    loop_.Cancel(deadline);
    loop_.Cancel(look);
    ASSERT_TRUE(met);
  }

  std::string parent_ = "/var/tmp/gate_test_XXXXXX";
  EventLoop loop_;
  GateOptions options_{.workers_max = 2, .waiting_max = 4};
  std::unique_ptr<tunnel::Spool> spool_;
  sockaddr_in address_{};
  const Secret gate_key_ = NewKey();
  const TlsIdentity one_ = TlsIdentity::FromKey(NewKey()).value();
  const TlsIdentity other_ = TlsIdentity::FromKey(NewKey()).value();
  const TlsIdentity third_ = TlsIdentity::FromKey(NewKey()).value();
  std::optional<FrameSocket> custodian_;
  std::vector<std::pair<rpc::WorkerCame, std::vector<Fd>>> came_;
  std::vector<std::unique_ptr<Caller>> callers_;
  std::unique_ptr<Gate> gate_;
};

TEST_F(GateTest, AnEnrolledWorkerGetsALinkToTheCustodian) {
  Enrol({{"one", one_.pin()}});
  Caller& caller = Call(one_);
  RunUntil([&] { return came_.size() == 1; });
  EXPECT_EQ(came_[0].first.pin(), AsText(one_.pin()));
  EXPECT_THAT(came_[0].first.address(), testing::StartsWith("127.0.0.1:"));
  ASSERT_EQ(came_[0].second.size(), 1U);
  FrameSocket link(std::move(came_[0].second[0]), {});
  // A frame by hand: no files, "hello".
  ASSERT_TRUE(caller.stream->Write(std::string("\x01\x07\0\0\0\0\0hello", 12)));
  std::string got;
  RunUntil([&] {
    (void)link.Receive([&](const Frame& frame) { got = frame.payload; });
    return got == "hello";
  });
}

TEST_F(GateTest, NobodyIsLetInBeforeTheCustodianHasSaidWho) {
  Caller& caller = Call(one_);
  bool waited = false;
  loop_.After(300, [&] { waited = true; });
  RunUntil([&] { return waited; });
  EXPECT_FALSE(caller.is_up);
  Enrol({{"one", one_.pin()}});
  RunUntil([&] { return came_.size() == 1; });
}

TEST_F(GateTest, AStrangerIsRefusedAndTheCustodianHearsNothing) {
  Enrol({{"one", one_.pin()}});
  Caller& stranger = Call(other_);
  RunUntil([&] { return stranger.is_over; });
  Call(one_);
  RunUntil([&] { return came_.size() == 1; });
  EXPECT_EQ(came_[0].first.pin(), AsText(one_.pin()));
}

TEST_F(GateTest, OneThatIsRemovedIsCutOffAndToldWhy) {
  Enrol({{"one", one_.pin()}, {"other", other_.pin()}});
  Caller& one = Call(one_);
  Caller& other = Call(other_);
  RunUntil([&] { return came_.size() == 2 && one.said.size() == 5 && other.said.size() == 5; });
  Enrol({{"other", other_.pin()}});
  RunUntil([&] { return one.is_over; });
  EXPECT_THAT(one.said, testing::HasSubstr("not enrolled any more"));
  EXPECT_FALSE(other.is_over);
}

TEST_F(GateTest, ASecondConnectionWithTheSameKeyEndsTheFirst) {
  Enrol({{"one", one_.pin()}});
  Caller& first = Call(one_);
  RunUntil([&] { return first.said.size() == 5; });
  Caller& second = Call(one_);
  RunUntil([&] { return first.is_over && second.said.size() == 5; });
  EXPECT_THAT(first.said, testing::HasSubstr("another connection came with the same key"));
  EXPECT_EQ(came_.size(), 2U);
}

TEST_F(GateTest, MoreWorkersThanItTakesAreToldSo) {
  Enrol({{"one", one_.pin()}, {"other", other_.pin()}, {"third", third_.pin()}});
  Call(one_);
  Call(other_);
  RunUntil([&] { return came_.size() == 2; });
  Caller& third = Call(third_);
  RunUntil([&] { return third.is_over; });
  EXPECT_THAT(third.said, testing::HasSubstr("too many workers"));
  EXPECT_EQ(came_.size(), 2U);
}

TEST_F(GateTest, OfSilentConnectionsTheOldestMakeRoom) {
  Enrol({{"one", one_.pin()}});
  std::vector<Fd> silent;
  for (int i = 0; i < 40; ++i) silent.push_back(Dial());
  Call(one_);
  RunUntil([&] { return came_.size() == 1; });
  char byte = 0;
  EXPECT_EQ(::recv(silent.front().get(), &byte, 1, MSG_DONTWAIT), 0) << "it was closed";
}

TEST_F(GateTest, WithTheCustodianItsWorkersGoAndComeAgainToTheNext) {
  Enrol({{"one", one_.pin()}});
  Caller& caller = Call(one_);
  RunUntil([&] { return caller.said.size() == 5; });
  const auto kept = std::move(came_);  // the link to the worker lives a little longer
  custodian_.reset();
  RunUntil([&] { return caller.is_over; });
  EXPECT_THAT(caller.said, testing::HasSubstr("the installation is away"));
  StartCustodian();
  Enrol({{"one", one_.pin()}});
  Call(one_);
  RunUntil([&] { return came_.size() == 1; });
}

}  // namespace
}  // namespace glasscase::gate
