// The custodian as a process: started over its lifeline, confined, asked, killed.
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <glasscase/access/token.h>
#include <glasscase/core/ids.h>
#include <glasscase/process/frame_socket.h>
#include <glasscase/process/lifeline.h>
#include <glasscase/rpc/link.pb.h>

#include "data_directory.h"
#include "initialise.h"
#include "serve.h"

namespace glasscase::custodian {
namespace {

namespace fs = std::filesystem;
using process::LifelineMessage;
using process::ProcessKind;
using Type = LifelineMessage::Type;

class ServeTest : public ::testing::Test {
 protected:
  ServeTest() {
    fs::create_directory(folder);
    const SystemClock clock;
    SystemRandom random;
    const auto said = Initialise({.directory = data}, clock, random).value();
    token = boost::json::parse(said).at("token").as_string();
    if (::geteuid() == 0) fs::permissions(folder, fs::perms::owner_all);  // only its descriptor leads in
  }
  ~ServeTest() override {
    if (child > 0) End(SIGKILL);
    fs::remove_all(folder);
  }

  void Start() {
    auto [ours, theirs] = process::MakeLifeline().value();
    child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ours = Fd();
      ::dup2(theirs.get(), process::kLifelineFd);
      ::_exit(Serve({}) ? 0 : 1);
    }
    lifeline = std::move(ours);
    const Fd directory = OpenFolder(data).value();
    ASSERT_TRUE(process::SendLifeline(lifeline.get(), {.type = Type::kDataDirectory}, {directory.get()}));
    LifelineMessage message;
    while (message.type != Type::kReady || hosts.empty()) {
      message = Hear();
      if (message.type == Type::kNeedHost) hosts.push_back(message.slot);
      if (message.type == Type::kReady) break;
    }
  }
  LifelineMessage Hear() {
    pollfd ready{.fd = lifeline.get(), .events = POLLIN, .revents = 0};
    EXPECT_EQ(::poll(&ready, 1, 10'000), 1);
    auto received = process::ReceiveLifeline(lifeline.get());
    if (!received || !*received) {
      ADD_FAILURE() << "the custodian ended";
      return {};
    }
    return (*received)->message;
  }
  void LinkControlEdge() {
    auto [here, there] = process::MakeSocketPair().value();
    ASSERT_TRUE(process::SendLifeline(
        lifeline.get(), {.type = Type::kRpcLink, .peer = ProcessKind::kControlEdge}, {there.get()}));
    edge = std::make_unique<process::FrameSocket>(std::move(here), process::FrameSocket::Limits{});
  }
  // Acknowledges tables on the way.
  rpc::Response Ask(rpc::Request request) {
    request.set_id(1);
    request.set_credential(std::string(AsText(access::CustodianCredential(token))));
    rpc::ToCustodian message;
    *message.mutable_request() = std::move(request);
    EXPECT_TRUE(edge->Send(message.SerializeAsString()));
    std::optional<rpc::Response> response;
    while (!response) {
      pollfd ready{.fd = edge->fd(), .events = POLLIN, .revents = 0};
      EXPECT_EQ(::poll(&ready, 1, 10'000), 1);
      const Status received = edge->Receive([&](process::Frame frame) {
        rpc::FromCustodian from;
        ASSERT_TRUE(from.ParseFromString(frame.payload));
        if (from.has_response()) response = from.response();
        if (!from.has_table()) return;
        rpc::ToCustodian acknowledgement;
        acknowledgement.mutable_ack()->set_sequence(from.table().sequence());
        EXPECT_TRUE(edge->Send(acknowledgement.SerializeAsString()));
      });
      if (!received) {
        ADD_FAILURE() << received.error().message();
        return {};
      }
    }
    return *response;
  }
  int End(int signal_number) {
    ::kill(child, signal_number);
    return Wait();
  }
  int Wait() {
    int status = 0;
    ::waitpid(std::exchange(child, 0), &status, 0);
    return status;
  }

  const fs::path folder = fs::temp_directory_path() / ("gc-serve-" + Uuid::Random().ToString());
  const std::string data = folder / "data";
  std::string token;
  pid_t child = 0;
  Fd lifeline;
  std::vector<uint32_t> hosts;
  std::unique_ptr<process::FrameSocket> edge;
};

TEST_F(ServeTest, ServesFromInsideItsConfinementAndEndsWhenTold) {
  Start();
  EXPECT_EQ(hosts, std::vector<uint32_t>{0});
  LinkControlEdge();
  rpc::Request status;
  status.mutable_status();
  const auto answer = Ask(status);
  ASSERT_EQ(answer.code(), 0u) << answer.message();
  std::vector<std::string> in_force(answer.status().processes(0).in_force().begin(),
                                    answer.status().processes(0).in_force().end());
  if (::geteuid() == 0) {
    EXPECT_THAT(in_force, ::testing::Contains("user 60601"));
    EXPECT_THAT(in_force, ::testing::Contains("own root directory"));
  }
  // What is written goes through the confined process: catalog, blobs, audit.
  rpc::Request add;
  add.mutable_add_subject()->set_name("ada");
  EXPECT_EQ(Ask(add).subject().name(), "ada");
  rpc::Request create;
  create.mutable_create_upload()->set_bytes(3);
  const auto upload = Ask(create);
  ASSERT_EQ(upload.code(), 0u) << upload.message();
  EXPECT_EQ(upload.upload().bytes(), 3);
  EXPECT_GT(fs::file_size(fs::path(data) / "audit" / "audit.jsonl"), 0u);
  ASSERT_TRUE(process::SendLifeline(lifeline.get(), {.type = Type::kShutDown}));
  EXPECT_EQ(Wait(), 0);
}

TEST_F(ServeTest, AfterAKillTheNextOneFindsWhatWasAnsweredAndNothingElse) {
  Start();
  LinkControlEdge();
  rpc::Request add;
  add.mutable_add_subject()->set_name("ada");
  const std::string id = Ask(add).subject().id();
  rpc::Request create;
  create.mutable_create_upload()->set_bytes(6);
  const std::string upload = Ask(create).upload().id();
  ASSERT_FALSE(upload.empty());
  End(SIGKILL);

  Start();
  LinkControlEdge();
  EXPECT_EQ(Ask(add).subject().id(), id);
  rpc::Request show;
  show.mutable_show_upload()->set_upload(upload);
  EXPECT_EQ(Ask(show).upload().bytes(), 6);
  EXPECT_TRUE(fs::is_empty(fs::path(data) / "staging"));
}

TEST_F(ServeTest, EndsWithTheSupervisor) {
  Start();
  lifeline = Fd();
  EXPECT_EQ(Wait(), 0);
}

TEST_F(ServeTest, AskingToStopIsPassedOn) {
  Start();
  LinkControlEdge();
  rpc::Request stop;
  stop.mutable_stop();
  EXPECT_EQ(Ask(stop).code(), 0u);
  EXPECT_EQ(Hear().type, Type::kStop);
}

}  // namespace
}  // namespace glasscase::custodian
