#include <glasscase/witness/witness_server.h>

#include <thread>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <gtest/gtest.h>

#include <glasscase/core/testing/fake_clock.h>
#include <glasscase/ledger/testing/memory_witness_state.h>

namespace glasscase::witness {
namespace {

namespace asio = boost::asio;

ledger::NoteSigner Signer(std::string_view name, ledger::KeyType type = ledger::KeyType::kEd25519) {
  return ledger::NoteSigner::Make(name, type, Ed25519Key::FromSeed(Secret(std::string(32, name[0]))).value())
      .value();
}

std::string SignedCheckpoint(uint64_t size) {
  const ledger::Checkpoint checkpoint{
      .origin = "log.example", .size = size, .root = ledger::HashLeaf(AsBytes(std::to_string(size)))};
  ledger::Note note{.text = checkpoint.ToString(), .signatures = {}};
  note.signatures.push_back(Signer("log.example").Sign(note.text));
  return note.ToString();
}

class WitnessServerTest : public ::testing::Test {
 protected:
  WitnessServerTest() {
    server_ =
        WitnessServer::Listen(
            "127.0.0.1", 0, witness_,
            {.body_bytes_max = 2'000, .request_seconds_max = 1, .idle_seconds_max = 1, .connections_max = 4})
            .value();
    thread_ = std::thread([this] { server_->Run(); });
  }
  ~WitnessServerTest() override {
    server_->Stop();
    thread_.join();
  }

  asio::ip::tcp::socket Connect() {
    asio::ip::tcp::socket socket(context_);
    socket.connect({asio::ip::make_address("127.0.0.1"), server_->port()});
    return socket;
  }
  // All bytes until the server closes.
  static std::string ReadAll(asio::ip::tcp::socket& socket) {
    std::string answer;
    boost::system::error_code ended;
    asio::read(socket, asio::dynamic_buffer(answer), ended);
    return answer;
  }
  std::string Send(const std::string& request) {
    asio::ip::tcp::socket socket = Connect();
    boost::system::error_code ignored;
    asio::write(socket, asio::buffer(request), ignored);
    return ReadAll(socket);
  }
  std::string Post(const std::string& body, const std::string& path = "/add-checkpoint") {
    return Send("POST " + path + " HTTP/1.1\r\nHost: w\r\nConnection: close\r\nContent-Length: " +
                std::to_string(body.size()) + "\r\n\r\n" + body);
  }
  std::string Get(const std::string& path) {
    return Send("GET " + path + " HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\r\n");
  }

  ledger::testing::MemoryWitnessState state_;
  testing::FakeClock clock_;
  ledger::Witness witness_ =
      ledger::Witness::Make({.signer = Signer("witness.example", ledger::KeyType::kEd25519Cosignature),
                             .logs = {Signer("log.example").verifier()},
                             .state = state_,
                             .clock = clock_})
          .value();
  std::unique_ptr<WitnessServer> server_;
  std::thread thread_;
  asio::io_context context_;
};

TEST_F(WitnessServerTest, SignsAndShowsWhatItSigned) {
  const std::string latest = "/" + ledger::OriginDigest("log.example") + "/checkpoint";
  EXPECT_TRUE(Get(latest).starts_with("HTTP/1.1 404"));
  const std::string answer = Post("old 0\n\n" + SignedCheckpoint(3));
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200")) << answer;
  EXPECT_NE(answer.find("\u2014 witness.example "), std::string::npos);
  const std::string shown = Get(latest);
  EXPECT_TRUE(shown.starts_with("HTTP/1.1 200"));
  EXPECT_NE(shown.find("log.example\n3\n"), std::string::npos);
}

TEST_F(WitnessServerTest, AConflictIsASize) {
  ASSERT_TRUE(Post("old 0\n\n" + SignedCheckpoint(3)).starts_with("HTTP/1.1 200"));
  const std::string answer = Post("old 2\n\n" + SignedCheckpoint(5));
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 409"));
  EXPECT_NE(answer.find("Content-Type: text/x.tlog.size\r\n"), std::string::npos);
  EXPECT_TRUE(answer.ends_with("\r\n\r\n3\n"));
}

TEST_F(WitnessServerTest, OtherRequestsAreRefused) {
  EXPECT_TRUE(Get("/").starts_with("HTTP/1.1 404"));
  EXPECT_TRUE(Get("/add-checkpoint").starts_with("HTTP/1.1 405"));
  EXPECT_TRUE(
      Post("", "/" + ledger::OriginDigest("log.example") + "/checkpoint").starts_with("HTTP/1.1 405"));
  EXPECT_TRUE(Post("what\n").starts_with("HTTP/1.1 400"));
  EXPECT_TRUE(Post(std::string(3'000, 'x')).starts_with("HTTP/1.1 413"));
  EXPECT_TRUE(Send("no HTTP\r\n\r\n").starts_with("HTTP/1.1 400"));
  EXPECT_TRUE(Send("GET /" + std::string(10'000, 'x') + " HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 4"));
}

TEST_F(WitnessServerTest, TheSlowAreCutOff) {
  asio::ip::tcp::socket silent = Connect();
  asio::ip::tcp::socket half = Connect();
  asio::write(half, asio::buffer(std::string("POST /add-checkpoint HTTP/1.1\r\n")));
  EXPECT_EQ(ReadAll(half), "");  // ends although this side stays open
  EXPECT_EQ(ReadAll(silent), "");
}

TEST_F(WitnessServerTest, TooManyConnectionsAreClosed) {
  std::vector<asio::ip::tcp::socket> open;
  for (int i = 0; i < 4; ++i) open.push_back(Connect());
  EXPECT_EQ(Get("/"), "");
  open.clear();
  for (int tries = 0; tries < 100 && Get("/").empty(); ++tries) std::this_thread::yield();
  EXPECT_TRUE(Get("/").starts_with("HTTP/1.1 404"));
}

}  // namespace
}  // namespace glasscase::witness
