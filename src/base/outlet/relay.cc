#include <glasscase/outlet/relay.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include <glasscase/core/log.h>
#include <glasscase/outlet/connect.h>

namespace glasscase::outlet {
namespace {

constexpr size_t kBufferBytes = size_t{64} << 10;

// One direction of a connection. Both sockets are non-blocking.
class Stream {
 public:
  Stream(int from, int to) : from_(from), to_(to) {}

  bool ended() const { return ended_; }
  short wants_of_from() const { return static_cast<short>(!read_all_ && begin_ == end_ ? POLLIN : 0); }
  short wants_of_to() const { return static_cast<short>(begin_ < end_ ? POLLOUT : 0); }

  // Carries what can be carried now. False when the connection is broken.
  bool Go() {
    if (ended_) return true;
    if (begin_ == end_ && !read_all_ && !Read()) return false;
    if (begin_ < end_ && !Write()) return false;
    if (begin_ < end_ || !read_all_) return true;
    ended_ = true;
    return ::shutdown(to_, SHUT_WR) == 0 || errno == ENOTCONN;
  }

 private:
  bool Read() {
    const ssize_t got = ::recv(from_, buffer_.data(), buffer_.size(), 0);
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    begin_ = 0;
    end_ = static_cast<size_t>(got);
    read_all_ = got == 0;
    return true;
  }
  bool Write() {
    const ssize_t put = ::send(to_, buffer_.data() + begin_, end_ - begin_, MSG_NOSIGNAL);
    if (put < 0) return errno == EAGAIN || errno == EINTR;
    begin_ += static_cast<size_t>(put);
    return true;
  }

  int from_;
  int to_;
  std::array<char, kBufferBytes> buffer_;
  size_t begin_ = 0;
  size_t end_ = 0;
  bool read_all_ = false;
  bool ended_ = false;
};

// Until both directions have ended, either side breaks, or `stop` becomes readable.
void Carry(int inside, int outside, int stop) {
  const auto out = std::make_unique<Stream>(inside, outside);
  const auto in = std::make_unique<Stream>(outside, inside);
  while (!(out->ended() && in->ended())) {
    std::array<pollfd, 3> watched{
        pollfd{inside, static_cast<short>(out->wants_of_from() | in->wants_of_to()), 0},
        pollfd{outside, static_cast<short>(in->wants_of_from() | out->wants_of_to()), 0},
        pollfd{stop, POLLIN, 0}};
    // What nothing is wanted from would say "hung up" without end.
    for (pollfd& one : watched)
      if (one.events == 0) one.fd = -1;
    if (::poll(watched.data(), watched.size(), -1) < 0 && errno != EINTR) return;
    if (watched[2].revents != 0) return;
    if (!out->Go() || !in->Go()) return;
  }
}

}  // namespace

struct Relay::Connection {
  Fd stop{::eventfd(0, EFD_CLOEXEC)};
  std::atomic<bool> ended = false;
  std::thread thread;

  ~Connection() {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(stop.get(), &one, sizeof one);
    if (thread.joinable()) thread.join();
  }

  void Run(const Fd& inside, const Server& server, int64_t timeout_ms) {
    const auto outside = Connect(server, timeout_ms, stop.get());
    if (outside) {
      const int on = 1;  // small questions are not held back
      ::setsockopt(inside.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      Carry(inside.get(), outside->get(), stop.get());
    } else if (outside.error().code() != Code::kCancelled) {
      LogWarning("no connection to " + server.ToString() + ": " + outside.error().message());
    }
  }
};

Relay::Relay(process::EventLoop& loop, std::vector<Server> servers, RelayOptions options)
    : loop_(loop), servers_(std::move(servers)), options_(options), listeners_(servers_.size()) {}

Relay::~Relay() {
  for (const Fd& listener : listeners_)
    if (listener.valid()) loop_.Remove(listener.get());
}

Status Relay::SetListener(size_t index, Fd listener) {
  if (index >= listeners_.size())
    return Fail(Error::InvalidArgument("there is no server " + std::to_string(index)));
  if (listeners_[index].valid()) loop_.Remove(listeners_[index].get());
  listeners_[index] = std::move(listener);
  loop_.Add(listeners_[index].get(), EPOLLIN, [this, index](uint32_t) { Accept(index); });
  return Ok();
}

size_t Relay::connections() const {
  size_t open = 0;
  for (const auto& connection : connections_) open += connection->ended ? 0 : 1;
  return open;
}

void Relay::DropEnded() {
  std::erase_if(connections_, [](const auto& connection) { return connection->ended.load(); });
}

void Relay::Accept(size_t index) {
  DropEnded();
  if (connections_.size() >= options_.connections_max) {
    // Level-triggered: without a pause this would be asked again at once, and again.
    loop_.Modify(listeners_[index].get(), 0);
    loop_.After(50, [this, fd = listeners_[index].get(), index] {
      if (listeners_[index].get() == fd) loop_.Modify(fd, EPOLLIN);
    });
    return;
  }
  Fd inside(::accept4(listeners_[index].get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!inside.valid()) return;
  Connection& connection = *connections_.emplace_back(std::make_unique<Connection>());
  connection.thread =
      std::thread([&connection, &server = servers_[index], timeout_ms = options_.connect_timeout_ms,
                   socket = std::make_shared<Fd>(std::move(inside))]() mutable {
        connection.Run(*socket, server, timeout_ms);
        socket.reset();
        connection.ended = true;
      });
}

}  // namespace glasscase::outlet
