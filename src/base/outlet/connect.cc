#include <glasscase/outlet/connect.h>

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <memory>
#include <string>

namespace glasscase::outlet {
namespace {

using Addresses = std::unique_ptr<addrinfo, void (*)(addrinfo*)>;

Result<Addresses> LookUp(const Server& server) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const int failed = ::getaddrinfo(server.host.c_str(), std::to_string(server.port).c_str(), &hints, &list);
  Addresses addresses(list, ::freeaddrinfo);
  if (failed != 0) return Fail(Error::Unavailable(std::string("no such name: ") + ::gai_strerror(failed)));
  return addresses;
}

// Until it is connected, refused, too slow, or `stop` becomes readable.
Status WaitForConnect(int socket, int stop, int64_t timeout_ms) {
  std::array<pollfd, 2> watched{pollfd{socket, POLLOUT, 0}, pollfd{stop, POLLIN, 0}};
  int ready = 0;
  do {
    ready = ::poll(watched.data(), watched.size(), static_cast<int>(timeout_ms));
  } while (ready < 0 && errno == EINTR);
  if (ready == 0) return Fail(Error::DeadlineExceeded("no answer"));
  if (watched[1].revents != 0) return Fail(Error(Code::kCancelled, "the connection is not wanted any more"));
  int error = 0;
  socklen_t length = sizeof error;
  if (::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
  if (error == 0) return Ok();
  return Fail(Error::FromErrno(error, "connect"));
}

Result<Fd> ConnectTo(const addrinfo& address, int stop, int64_t timeout_ms) {
  Fd socket(::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return Fail(Error::FromErrno(errno, "socket"));
  if (::connect(socket.get(), address.ai_addr, address.ai_addrlen) != 0) {
    if (errno != EINPROGRESS) return Fail(Error::FromErrno(errno, "connect"));
    GC_TRY_VOID(WaitForConnect(socket.get(), stop, timeout_ms));
  }
  return socket;
}

// Small questions are not held back, and a server that vanished is noticed.
void Tune(int socket) {
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

}  // namespace

Result<Fd> Connect(const Server& server, int64_t timeout_ms, int stop) {
  GC_TRY(const Addresses addresses, LookUp(server));
  Error last = Error::Unavailable("the name has no address");
  for (const addrinfo* address = addresses.get(); address != nullptr; address = address->ai_next) {
    auto connected = ConnectTo(*address, stop, timeout_ms);
    if (connected) {
      Tune(connected->get());
      return connected;
    }
    last = connected.error();
  }
  return Fail(std::move(last));
}

}  // namespace glasscase::outlet
