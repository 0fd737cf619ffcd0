#include <glasscase/outlet/outlets.h>

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace glasscase::outlet {
namespace {

constexpr int kBacklog = 64;

// A new network namespace has a loopback that is down.
Status RaiseLoopback(int socket) {
  ifreq request{};
  std::strncpy(request.ifr_name, "lo", sizeof request.ifr_name - 1);
  if (::ioctl(socket, SIOCGIFFLAGS, &request) != 0)
    return Fail(Error::FromErrno(errno, "cannot look at the loopback"));
  if ((request.ifr_flags & IFF_UP) != 0) return Ok();
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  if (::ioctl(socket, SIOCSIFFLAGS, &request) == 0) return Ok();
  return Fail(Error::FromErrno(errno, "cannot raise the loopback"));
}

Result<uint16_t> ListenOnLoopback(int socket) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(socket, generic, length) != 0 || ::listen(socket, kBacklog) != 0 ||
      ::getsockname(socket, generic, &length) != 0)
    return Fail(Error::FromErrno(errno, "cannot listen for the relay"));
  return ntohs(address.sin_port);
}

}  // namespace

Result<Outlets> Outlets::Open(std::vector<Server> servers) {
  Outlets outlets;
  for (size_t i = 0; i < servers.size(); ++i) {
    Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket.valid()) return Fail(Error::FromErrno(errno, "cannot make a socket"));
    GC_TRY_VOID(RaiseLoopback(socket.get()));
    GC_TRY(const uint16_t port, ListenOnLoopback(socket.get()));
    outlets.listeners_.push_back(std::move(socket));
    outlets.ports_.push_back(port);
  }
  outlets.servers_ = std::move(servers);
  return outlets;
}

Result<uint16_t> Outlets::PortOf(const Server& server) const {
  const auto found = std::ranges::find(servers_, server);
  if (found != servers_.end()) return ports_[static_cast<size_t>(found - servers_.begin())];
  return Fail(Error::FailedPrecondition(server.ToString() + " is none of the servers that may be reached"));
}

}  // namespace glasscase::outlet
