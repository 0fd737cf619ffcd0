#include <glasscase/outlet/relay.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <future>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include <glasscase/outlet/outlets.h>

namespace glasscase::outlet {
namespace {

sockaddr_in Loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

Fd ConnectToLoopback(uint16_t port) {
  Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = Loopback(port);
  EXPECT_EQ(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  return socket;
}

std::string ReadToEnd(int socket) {
  std::string all;
  char piece[65536];
  for (ssize_t got = ::recv(socket, piece, sizeof piece, 0); got > 0;
       got = ::recv(socket, piece, sizeof piece, 0))
    all.append(piece, static_cast<size_t>(got));
  return all;
}

void WriteAll(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (put <= 0) return;
    bytes.remove_prefix(static_cast<size_t>(put));
  }
}

// Listens on a port and serves connections one after the other.
class ServerUnderTest {
 public:
  explicit ServerUnderTest(std::function<void(int)> serve) : serve_(std::move(serve)) {
    sockaddr_in address = Loopback(0);
    socklen_t length = sizeof address;
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
    EXPECT_EQ(::listen(listener_.get(), 8), 0);
    EXPECT_EQ(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] {
      while (true) {
        const Fd connection(::accept(listener_.get(), nullptr, nullptr));
        if (!connection.valid()) return;
        serve_(connection.get());
      }
    });
  }
  ~ServerUnderTest() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }
  Server server(const std::string& host = "127.0.0.1") const { return {host, port_}; }

 private:
  std::function<void(int)> serve_;
  Fd listener_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  uint16_t port_ = 0;
  std::thread thread_;
};

// A relay on a thread of its own, and the outlets it serves.
class RelayUnderTest {
 public:
  explicit RelayUnderTest(const std::vector<Server>& servers, RelayOptions options = {})
      : outlets_(Outlets::Open(servers).value()) {
    std::promise<void> started;
    thread_ = std::thread([this, servers, options, &started] {
      relay_ = std::make_unique<Relay>(loop_, servers, options);
      for (size_t i = 0; i < servers.size(); ++i)
        EXPECT_TRUE(relay_->SetListener(i, Fd(::dup(outlets_.listener(i)))));
      started.set_value();
      loop_.Run();
      relay_.reset();
    });
    started.get_future().wait();
  }
  ~RelayUnderTest() {
    loop_.Stop();
    thread_.join();
  }
  Fd Reach(const Server& server) { return ConnectToLoopback(outlets_.PortOf(server).value()); }
  size_t Connections() {
    std::promise<size_t> count;
    loop_.Post([&] { count.set_value(relay_->connections()); });
    return count.get_future().get();
  }

 private:
  process::EventLoop loop_;
  Outlets outlets_;
  std::unique_ptr<Relay> relay_;
  std::thread thread_;
};

TEST(RelayTest, CarriesBothWaysAndPassesTheEndOn) {
  const std::string large(3 << 20, 'x');
  ServerUnderTest echo([&](int connection) { WriteAll(connection, "got " + ReadToEnd(connection)); });
  RelayUnderTest relay({echo.server()});
  const Fd socket = relay.Reach(echo.server());
  WriteAll(socket.get(), large);
  ::shutdown(socket.get(), SHUT_WR);
  EXPECT_EQ(ReadToEnd(socket.get()), "got " + large);
}

TEST(RelayTest, EachOutletHasItsServer) {
  ServerUnderTest one([](int connection) { WriteAll(connection, "one"); });
  ServerUnderTest two([](int connection) { WriteAll(connection, "two"); });
  RelayUnderTest relay({one.server(), two.server("localhost")});
  EXPECT_EQ(ReadToEnd(relay.Reach(two.server("localhost")).get()), "two");
  EXPECT_EQ(ReadToEnd(relay.Reach(one.server()).get()), "one");
}

TEST(RelayTest, AServerThatIsNotThereEndsTheConnectionAndNoOther) {
  uint16_t free_port = 0;
  {
    ServerUnderTest gone([](int) {});
    free_port = gone.server().port;
  }
  ServerUnderTest there([](int connection) { WriteAll(connection, "there"); });
  const Server nowhere{"127.0.0.1", free_port};
  RelayUnderTest relay({nowhere, there.server()});
  EXPECT_EQ(ReadToEnd(relay.Reach(nowhere).get()), "");
  EXPECT_EQ(ReadToEnd(relay.Reach(there.server()).get()), "there");
}

TEST(RelayTest, MoreConnectionsThanAllowedWaitTheirTurn) {
  ServerUnderTest echo([](int connection) { WriteAll(connection, ReadToEnd(connection)); });
  RelayUnderTest relay({echo.server()}, {.connections_max = 1});
  const Fd first = relay.Reach(echo.server());
  WriteAll(first.get(), "first");
  const Fd second = relay.Reach(echo.server());
  WriteAll(second.get(), "second");
  ::shutdown(second.get(), SHUT_WR);
  while (relay.Connections() == 0) std::this_thread::yield();
  EXPECT_EQ(relay.Connections(), 1u);
  ::shutdown(first.get(), SHUT_WR);
  EXPECT_EQ(ReadToEnd(first.get()), "first");
  EXPECT_EQ(ReadToEnd(second.get()), "second");
}

TEST(RelayTest, EndsWithConnectionsOpen) {
  ServerUnderTest echo([](int connection) { ReadToEnd(connection); });
  Fd socket;
  {
    RelayUnderTest relay({echo.server()});
    socket = relay.Reach(echo.server());
    WriteAll(socket.get(), "x");
    while (relay.Connections() == 0) std::this_thread::yield();
  }
  EXPECT_EQ(ReadToEnd(socket.get()), "");
}

TEST(OutletsTest, AServerThatWasNotNamedHasNone) {
  const auto outlets = Outlets::Open({{"a", 1}}).value();
  EXPECT_TRUE(outlets.PortOf({"a", 1}));
  EXPECT_EQ(outlets.PortOf({"a", 2}).error().code(), Code::kFailedPrecondition);
}

TEST(RelayTest, RefusesAListenerForNoServer) {
  process::EventLoop loop;
  Relay relay(loop, {{"a", 1}});
  EXPECT_EQ(relay.SetListener(1, Fd()).error().code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace glasscase::outlet
